//! Who asks: tokens, sessions, and agent programs of episodes.

pub(super) mod agent_gateway;
pub(super) mod external_agent;
pub(super) mod session;
pub(super) mod standalone_sessions;
pub(super) mod token_authenticator;
