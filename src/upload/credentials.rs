//! Where the keys for S3 come from, and which place answered.
//!
//! In order: Docker secrets, settings and environment, the shared profile files (keys or
//! `credential_process`), then what `object_store` knows: web identity, ECS and EKS, IMDSv2.
//! Files are read again for every request, so that a rotated key is used at once. Refused: half a
//! pair of keys, a named profile that is not there, profile kinds that need the AWS SDK (the
//! message says how to hand them over). No message holds a key.

use super::plan::AwsOptions;
use crate::base::secret::Secret;
use async_trait::async_trait;
use jiff::{Timestamp, ToSpan};
use object_store::CredentialProvider;
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A `credential_process` that takes longer is ended.
const PROCESS_LIMIT: Duration = Duration::from_secs(60);

/// The place that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Docker secrets.
    Secrets,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Settings,
    /// Keys in a profile of the shared files.
    Profile(String),
    /// The `credential_process` of a profile.
    Process(String),
    /// A web identity token (IRSA).
    WebIdentity,
    /// ECS or EKS Pod Identity.
    Container,
    /// The instance metadata service.
    Instance,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secrets => f.write_str("Docker secrets"),
            Self::Settings => f.write_str("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            Self::Profile(name) => write!(f, "profile \"{name}\" of the shared files"),
            Self::Process(name) => write!(f, "credential_process of profile \"{name}\""),
            Self::WebIdentity => f.write_str("web identity"),
            Self::Container => f.write_str("container credentials (ECS, EKS)"),
            Self::Instance => f.write_str("instance metadata (IMDSv2)"),
        }
    }
}

/// Why there are no keys. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// One of two.
    #[error("{have} is set but {missing} is not: set both or neither")]
    Half {
        /// What is there.
        have: String,
        /// What is not.
        missing: String,
    },
    /// A file that is there cannot be read.
    #[error("{path} cannot be read ({error}): give this process the right to read it")]
    File {
        /// The file.
        path: String,
        /// What the disk said.
        error: io::Error,
    },
    /// `AWS_PROFILE` names nothing.
    #[error("profile \"{0}\" is in neither of the shared files: correct AWS_PROFILE or add it")]
    NoProfile(String),
    /// A profile without keys or process.
    #[error(
        "profile \"{0}\" holds no keys and no credential_process; for SSO and assumed roles add \
         credential_process = aws configure export-credentials --profile {0} --format process"
    )]
    NoKeys(String),
    /// The process failed.
    #[error("credential_process of profile \"{profile}\" {what}: run it by hand to see why")]
    Process {
        /// The profile.
        profile: String,
        /// What happened.
        what: String,
    },
    /// Nobody answered.
    #[error(
        "no credentials: there are no Docker secrets, AWS_ACCESS_KEY_ID is not set, the shared \
         files have no profile, and {origin} did not answer: {error}"
    )]
    Nobody {
        /// The last place asked.
        origin: Origin,
        /// What it said.
        error: String,
    },
}

/// The chain of places.
#[derive(Debug)]
pub struct Chain {
    options: AwsOptions,
    last: AwsCredentialProvider,
    last_origin: Origin,
    answered: Mutex<Option<Origin>>,
    process: tokio::sync::Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    credential: Arc<AwsCredential>,
    until: Option<Timestamp>,
}

impl Chain {
    /// A chain that ends in `last`, what `object_store` itself found in the environment.
    #[must_use]
    pub fn new(options: AwsOptions, last: AwsCredentialProvider) -> Self {
        let last_origin = last_origin(&options);
        let answered = Mutex::new(None);
        Self { options, last, last_origin, answered, process: tokio::sync::Mutex::new(None) }
    }

    /// The place that answered last.
    #[must_use]
    pub fn answered(&self) -> Option<Origin> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn find(&self) -> Result<(Origin, Arc<AwsCredential>), CredentialError> {
        let options = self.options.clone();
        let found = tokio::task::spawn_blocking(move || from_files(&options)).await;
        let found = found.map_err(|error| CredentialError::File {
            path: String::from("a credentials file"),
            error: io::Error::other(error),
        })??;
        match found {
            Some(Found::Keys(origin, keys)) => Ok((origin, Arc::new(keys))),
            Some(Found::Process(name, command)) => {
                Ok((Origin::Process(name.clone()), self.run(&name, &command).await?))
            }
            None => self.ask_last().await,
        }
    }

    async fn ask_last(&self) -> Result<(Origin, Arc<AwsCredential>), CredentialError> {
        let origin = self.last_origin.clone();
        match self.last.get_credential().await {
            Ok(credential) => Ok((origin, credential)),
            Err(error) => Err(CredentialError::Nobody { origin, error: innermost(&error) }),
        }
    }

    /// The output of a `credential_process`, kept until shortly before it expires.
    async fn run(&self, name: &str, command: &str) -> Result<Arc<AwsCredential>, CredentialError> {
        let mut cached = self.process.lock().await;
        let soon = Timestamp::now() + 5.minutes();
        if let Some(kept) = cached.as_ref().filter(|c| c.until.is_some_and(|until| until > soon)) {
            return Ok(kept.credential.clone());
        }
        let fresh = run_process(command)
            .await
            .map_err(|what| CredentialError::Process { profile: name.to_owned(), what })?;
        let credential = fresh.credential.clone();
        *cached = Some(fresh);
        Ok(credential)
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let (origin, credential) = self.find().await.map_err(|error| {
            object_store::Error::Generic { store: "S3", source: Box::new(error) }
        })?;
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin);
        Ok(credential)
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

fn last_origin(options: &AwsOptions) -> Origin {
    let set = |name: &str| options.environment.iter().any(|(key, _)| key == name);
    if set("AWS_WEB_IDENTITY_TOKEN_FILE") && set("AWS_ROLE_ARN") {
        Origin::WebIdentity
    } else if set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        || set("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    {
        Origin::Container
    } else {
        Origin::Instance
    }
}

enum Found {
    Keys(Origin, AwsCredential),
    Process(String, String),
}

fn from_files(options: &AwsOptions) -> Result<Option<Found>, CredentialError> {
    if let Some(keys) = from_secrets(&options.secrets_dir)? {
        return Ok(Some(Found::Keys(Origin::Secrets, keys)));
    }
    if let Some(keys) = from_settings(options)? {
        return Ok(Some(Found::Keys(Origin::Settings, keys)));
    }
    from_profile(options)
}

fn from_secrets(folder: &Path) -> Result<Option<AwsCredential>, CredentialError> {
    let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
    let read = |name: &str| {
        let text = read_if_there(&folder.join(name))?;
        Ok::<_, CredentialError>(text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()))
    };
    let named = |name: &str| folder.join(name).display().to_string();
    let token = read("aws_session_token")?;
    pair(read(id)?, read(secret)?, token, &named(id), &named(secret))
}

fn from_settings(options: &AwsOptions) -> Result<Option<AwsCredential>, CredentialError> {
    let reveal = |secret: &Option<Secret>| secret.as_ref().map(|s| s.reveal().to_owned());
    pair(
        options.access_key_id.clone(),
        reveal(&options.secret_access_key),
        reveal(&options.session_token),
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    )
}

fn pair(
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    id_name: &str,
    secret_name: &str,
) -> Result<Option<AwsCredential>, CredentialError> {
    let half = |have: &str, missing: &str| {
        Err(CredentialError::Half { have: have.to_owned(), missing: missing.to_owned() })
    };
    match (id, secret) {
        (Some(key_id), Some(secret_key)) => Ok(Some(AwsCredential { key_id, secret_key, token })),
        (Some(_), None) => half(id_name, secret_name),
        (None, Some(_)) => half(secret_name, id_name),
        (None, None) => Ok(None),
    }
}

fn from_profile(options: &AwsOptions) -> Result<Option<Found>, CredentialError> {
    let name = options.profile.clone().unwrap_or_else(|| String::from("default"));
    let Some(profile) = profile(options, &name)? else {
        return options.profile.clone().map_or(Ok(None), |p| Err(CredentialError::NoProfile(p)));
    };
    let get = |key: &str| profile.get(key).cloned();
    let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
    let of = |key: &str| format!("{key} in profile \"{name}\"");
    let keys = pair(get(id), get(secret), get("aws_session_token"), &of(id), &of(secret))?;
    match (keys, get("credential_process")) {
        (Some(keys), _) => Ok(Some(Found::Keys(Origin::Profile(name), keys))),
        (None, Some(command)) => Ok(Some(Found::Process(name, command))),
        (None, None) if options.profile.is_some() => Err(CredentialError::NoKeys(name)),
        (None, None) => Ok(None),
    }
}

/// The region that the profile in force names.
#[must_use]
pub fn profile_region(options: &AwsOptions) -> Option<String> {
    let name = options.profile.as_deref().unwrap_or("default");
    profile(options, name).ok().flatten()?.remove("region")
}

type Profile = BTreeMap<String, String>;

/// A profile's keys and values: those of the credentials file win over those of the config file.
fn profile(options: &AwsOptions, name: &str) -> Result<Option<Profile>, CredentialError> {
    let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
    let files = [(&options.config_file, in_config), (&options.credentials_file, name.to_owned())];
    let mut found: Option<Profile> = None;
    for (path, section) in files {
        let Some(path) = path else { continue };
        let text = read_if_there(path)?.unwrap_or_default();
        if let Some(values) = read_section(&text, &section) {
            found.get_or_insert_default().extend(values);
        }
    }
    Ok(found)
}

fn read_if_there(path: &Path) -> Result<Option<String>, CredentialError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(CredentialError::File { path: path.display().to_string(), error }),
    }
}

/// The pairs of one `[section]`; nested settings (indented lines) are not for us.
fn read_section(text: &str, wanted: &str) -> Option<Profile> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines() {
        let bare = line.trim();
        if bare.starts_with(['#', ';']) || line.starts_with([' ', '\t']) {
            continue;
        }
        if let Some(section) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = section.split_whitespace().eq(wanted.split_whitespace());
            if inside {
                found.get_or_insert_with(Profile::new);
            }
        } else if let (true, Some((key, value))) = (inside, bare.split_once('=')) {
            found.get_or_insert_with(Profile::new).insert(key.trim().into(), value.trim().into());
        }
    }
    found
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessOutput {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<Timestamp>,
}

/// Runs the command as the AWS tools do, through the shell; the error text holds no output.
async fn run_process(command: &str) -> Result<Cached, String> {
    let child = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(PROCESS_LIMIT, child).await {
        Err(_) => return Err(format!("took longer than {} s", PROCESS_LIMIT.as_secs())),
        Ok(Err(error)) => return Err(format!("could not be started ({error})")),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        return Err(format!("failed ({})", output.status));
    }
    let parsed: ProcessOutput = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from("did not print the JSON that AWS documents"))?;
    if parsed.version != 1 {
        return Err(format!("printed version {}, not 1", parsed.version));
    }
    let credential = AwsCredential {
        key_id: parsed.access_key_id,
        secret_key: parsed.secret_access_key,
        token: parsed.session_token,
    };
    Ok(Cached { credential: Arc::new(credential), until: parsed.expiration })
}

#[cfg(test)]
#[path = "credentials/tests.rs"]
mod tests;
