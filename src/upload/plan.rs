//! Where objects go, as `config` worked it out: nothing is checked or derived here.

use crate::base::secret::Secret;
use std::fmt;
use std::path::PathBuf;

/// Where objects go.
#[derive(Debug, Clone)]
pub struct DestinationOptions {
    /// The store.
    pub store: StoreOptions,
    /// What the keys in it begin with.
    pub prefixes: Prefixes,
}

/// One store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Its kind.
    pub kind: Kind,
    /// Bucket or container; empty for a folder.
    pub bucket: String,
    /// Everything about S3.
    pub aws: AwsOptions,
    /// PEM certificates of authorities that the system does not know.
    pub extra_roots: Option<Vec<u8>>,
}

impl StoreOptions {
    /// A store that needs nothing beside its name.
    #[must_use]
    pub fn new(kind: Kind, bucket: &str) -> Self {
        let aws = AwsOptions::default();
        Self { kind, bucket: bucket.to_owned(), aws, extra_roots: None }
    }
}

/// The kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Amazon S3, or a server that speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A folder of this machine.
    Folder,
}

/// One prefix for each kind of object: each ends in `/`, none lies inside another. For a folder
/// they are absolute paths without the first `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes {
    /// Event objects.
    pub events: String,
    /// Quarantine objects.
    pub quarantine: String,
    /// Log objects.
    pub logs: String,
    /// Manifest objects.
    pub manifests: String,
}

/// What the settings and the environment say about S3.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<Secret>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<Secret>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`, else the profile's, else `us-east-1`.
    pub region: Option<String>,
    /// `AWS_PROFILE`.
    pub profile: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// `AWS_SSE`: `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub sse: Option<String>,
    /// `AWS_SSE_KMS_KEY_ID`.
    pub sse_kms_key_id: Option<String>,
    /// Where Docker puts secrets.
    pub secrets_dir: PathBuf,
    /// `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub config_file: Option<PathBuf>,
    /// The remaining `AWS_…` variables: web identity, containers, instance metadata.
    pub environment: Vec<(String, Secret)>,
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            region: None,
            profile: None,
            endpoint: None,
            sse: None,
            sse_kms_key_id: None,
            secrets_dir: PathBuf::from("/run/secrets"),
            credentials_file: None,
            config_file: None,
            environment: Vec::new(),
        }
    }
}

impl AwsOptions {
    /// Reads the variables of the usual chain; empty ones count as not set.
    #[must_use]
    pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut options = Self::default();
        let mut home = None;
        let mut fallback_region = None;
        let mut general_endpoint = None;
        for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "HOME" => home = Some(PathBuf::from(value).join(".aws")),
                "AWS_ACCESS_KEY_ID" => options.access_key_id = Some(value),
                "AWS_SECRET_ACCESS_KEY" => options.secret_access_key = Some(value.into()),
                "AWS_SESSION_TOKEN" => options.session_token = Some(value.into()),
                "AWS_REGION" => options.region = Some(value),
                "AWS_DEFAULT_REGION" => fallback_region = Some(value),
                "AWS_PROFILE" => options.profile = Some(value),
                "AWS_ENDPOINT_URL_S3" => options.endpoint = Some(value),
                "AWS_ENDPOINT_URL" => general_endpoint = Some(value),
                "AWS_SSE" => options.sse = Some(value),
                "AWS_SSE_KMS_KEY_ID" => options.sse_kms_key_id = Some(value),
                "AWS_SHARED_CREDENTIALS_FILE" => options.credentials_file = Some(value.into()),
                "AWS_CONFIG_FILE" => options.config_file = Some(value.into()),
                _ if name.starts_with("AWS_") => options.environment.push((name, value.into())),
                _ => {}
            }
        }
        options.region = options.region.or(fallback_region);
        options.endpoint = options.endpoint.or(general_endpoint);
        let beside = |file: &str| home.as_ref().map(|home| home.join(file));
        options.credentials_file = options.credentials_file.or(beside("credentials"));
        options.config_file = options.config_file.or(beside("config"));
        options
    }
}

/// Something that keeps a store from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable to look at.
    pub variable: &'static str,
    /// What is wrong with its value, and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.message)
    }
}

#[cfg(test)]
impl DestinationOptions {
    /// The bucket `bucket` with event objects below `events/`.
    pub(crate) fn fixture() -> Self {
        let prefixes = Prefixes {
            events: "events/".into(),
            quarantine: "events-quarantine/".into(),
            logs: "events-logs/".into(),
            manifests: "events-manifests/".into(),
        };
        Self { store: StoreOptions::new(Kind::S3, "bucket"), prefixes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_fills_the_options_and_their_debug_hides_the_secrets() {
        let pairs = [
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_PROFILE", ""),
            ("AWS_ROLE_ARN", "arn:hush"),
            ("HOME", "/home/x"),
        ];
        let options = AwsOptions::from_environment(
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())),
        );
        assert_eq!(options.region.as_deref(), Some("eu-west-1"));
        assert_eq!(options.profile, None);
        assert_eq!(options.credentials_file, Some(PathBuf::from("/home/x/.aws/credentials")));
        assert_eq!(options.environment.len(), 1);
        assert!(!format!("{options:?}").contains("hush"));
    }
}
