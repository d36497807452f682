//! What is read of texts: YAML at its edges, all that is wrong with a file at once, and user data.

mod every_error;
mod user_data;
mod yaml_texts;
