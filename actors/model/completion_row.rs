//! The row of a completion in the format `synthd.completion/1`: one answer of one model to one
//! prompt of a file.

use super::column::row_columns;
use super::{Money, RowMessage};
use serde::{Deserialize, Serialize};

/// The name and the version of the format.
pub const COMPLETION_SCHEMA: &str = "synthd.completion/1";

row_columns! {
    /// One completion: what one model answered to one prompt.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct CompletionRow {
        /// The row format, `synthd.completion/1`.
        pub schema_version: String,
        /// Unique in the dataset: the id of the completion.
        pub completion_id: String,
        /// The campaign that made the row.
        pub campaign: String,
        /// The id of the prompt; never in two splits.
        pub prompt_id: String,
        /// The name of the file with the prompts.
        pub source: String,
        /// The number of the prompt's line in its file, from 0. Blank lines count.
        pub prompt_index: i64,
        /// The other fields of the prompt's line: a JSON object as text; null if they are not
        /// known.
        #[long_text(true)]
        pub fields: Option<String>,
        /// The whole conversation, exactly as sent and received. The answer is the last message.
        pub messages: Vec<RowMessage>,
        /// The text of the answer.
        #[long_text(true)]
        pub response: String,
        /// What the model thought before the answer; null if the provider does not say.
        #[long_text(true)]
        pub reasoning: Option<String>,
        /// Why the model stopped: `stop`, `tool_calls`, `length` or `refusal`.
        pub finish_reason: String,
        /// The model that answered, without the provider's name.
        pub llm_model: String,
        /// The provider that served the model; `scripted` means no model at all.
        pub llm_provider: String,
        /// The version of the model as the provider reports it; null if it does not.
        pub model_version: Option<String>,
        /// How the model was asked: a JSON object as text; null if it is not known.
        pub sampling: Option<String>,
        /// Which of the prompt's samples by the planned model, from 0.
        pub sample: i32,
        /// What the quality stages noted.
        pub labels: Vec<String>,
        /// Tokens that the model read; null if the provider did not count.
        pub input_tokens: Option<i64>,
        /// Tokens that the model wrote; null if the provider did not count.
        pub output_tokens: Option<i64>,
        /// The ids of the tokens that the model read. Null if the provider does not give them.
        #[since(10)]
        pub prompt_token_ids: Option<Vec<i32>>,
        /// The ids of the answer's tokens. Null if the provider does not give them.
        #[since(10)]
        pub token_ids: Option<Vec<i32>>,
        /// The logarithm of the probability of each token of the answer. Null if the provider does not
        /// give them.
        #[since(10)]
        pub logprobs: Option<Vec<f64>>,
        /// What the answer cost, failed tries included: exact decimal dollars.
        pub cost_usd: Money,
        /// The time of the answer in milliseconds, failed tries included.
        pub model_ms: i64,
        /// Which attempt at the completion this is, from 1.
        pub attempt: i32,
        /// How often the model was called for the answer.
        pub calls: i32,
        /// When the completion finished: RFC 3339, UTC, with milliseconds.
        pub created_at: String,
    }
}
