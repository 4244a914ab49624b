//! How requests and replies are read, in every format: losses of a request, and the words of its
//! allow-list; events, token counts and faults of a reply.

pub(crate) mod allowed_shape;
pub(crate) mod counts;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod json_path;
pub(crate) mod losses;
pub(in crate::formats) mod openai_request;
pub(crate) mod request_parser;
pub(crate) mod retry_after;
pub(in crate::formats) mod token_reader;
