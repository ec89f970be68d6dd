//! What the process finds around it: variables, the machine's name, Docker's secrets.
//!
//! Only settings that are no flags are read through here: secrets, the names of the Python script,
//! and the second name of the region. A test makes its own.

use crate::base::secret::Secret;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The surroundings of the process.
#[derive(Clone)]
pub struct Env {
    variables: BTreeMap<String, String>,
    host_name: String,
    secrets: PathBuf,
}

impl Env {
    /// The real surroundings.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Self {
            variables: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            secrets: PathBuf::from("/run/secrets"),
        }
    }

    /// Made-up surroundings with these variables, a machine called `host`, and no Docker secrets.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            variables: variables.iter().map(own).collect(),
            host_name: "host".to_owned(),
            secrets: PathBuf::from("/nonexistent"),
        }
    }

    /// The same with another folder of Docker secrets.
    #[must_use]
    pub fn with_secrets(self, folder: impl Into<PathBuf>) -> Self {
        Self { secrets: folder.into(), ..self }
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.variables.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A secret variable that is set and not empty.
    #[must_use]
    pub fn secret(&self, variable: &str) -> Option<Secret> {
        self.get(variable).map(Secret::new)
    }

    /// The machine's name.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.host_name
    }

    /// Where Docker puts secrets.
    #[must_use]
    pub fn secrets_folder(&self) -> &Path {
        &self.secrets
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("host_name", &self.host_name).finish_non_exhaustive()
    }
}
