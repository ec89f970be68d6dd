//! tools: see ARCHITECTURE.md.

pub mod snowflake;
