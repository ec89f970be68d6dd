//! Where the objects are and what they look like: all that the script needs from the settings.

use crate::spool::manifest::{Form, Format};
use std::fmt;

/// The kind of store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// Amazon S3.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage; [`Target::bucket`] is the container.
    Azure {
        /// The storage account.
        account: String,
    },
    /// A folder on this machine.
    Local,
}

/// The part of the configuration that is in force for event objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The kind of store.
    pub store: Store,
    /// Bucket or container.
    pub bucket: String,
    /// Prefix of the event objects; ends in `/`.
    pub prefix: String,
    /// What the objects look like.
    pub form: Form,
    /// Prefix of the manifest objects (read when [`Form::manifest_object`] is set).
    pub manifest_prefix: String,
    /// Prefix of the quarantine; named in the script's head, never loaded.
    pub quarantine_prefix: String,
}

/// Why there is no script for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Snowflake reads object stores only.
    #[error(
        "the destination is a local folder, which Snowflake cannot read: set BUCKET_NAME, or \
         DESTINATION=s3://…, gs://… or az://…, and run this again"
    )]
    Local,
    /// The two policies are for AWS.
    #[error(
        "--aws-policy is for S3, but the destination is another store: leave it out, the script's \
         comments say which access to grant there"
    )]
    NoAwsPolicy,
}

impl Target {
    /// The URL of a prefix in this bucket, as a stage wants it: ending in `/`.
    pub(super) fn url(&self, prefix: &str, partition: &str) -> String {
        let slash = if prefix.ends_with('/') { "" } else { "/" };
        let bucket = &self.bucket;
        match &self.store {
            Store::Gcs => format!("gcs://{bucket}/{prefix}{slash}"),
            Store::Azure { account } => {
                format!("azure://{account}.blob.core.windows.net/{bucket}/{prefix}{slash}")
            }
            Store::S3 | Store::Local => format!("{}://{bucket}/{prefix}{slash}", scheme(partition)),
        }
    }

    /// The stem of the object names' extension.
    pub(super) const fn extension(&self) -> &'static str {
        match self.form.format {
            Format::Xml => "xml",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
        }
    }

    /// A pattern for whole paths: objects of this format, compressed or not. A changed COMPRESSION
    /// then changes nothing for the objects stored before. No backslash: it would need escaping.
    pub(super) fn pattern(&self) -> String {
        match self.form.format {
            Format::Parquet => ".*[.]parquet".to_owned(),
            _ => format!(".*[.]{}([.](gz|zst))?", self.extension()),
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 => "S3",
            Self::Gcs => "Google Cloud Storage",
            Self::Azure { .. } => "Azure Blob Storage",
            Self::Local => "a local folder",
        })
    }
}

/// Snowflake's URL scheme for the S3 of an AWS partition.
fn scheme(partition: &str) -> &'static str {
    match partition {
        "aws-us-gov" => "s3gov",
        "aws-cn" => "s3china",
        _ => "s3",
    }
}
