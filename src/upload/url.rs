//! A place as a URL: written into a segment's manifest, read from there and from a command line.
//!
//! `s3://bucket/prefix/`, `gs://…` and `az://…` name keys as they are, nothing is encoded;
//! `file:///folder/` is encoded as URLs of files are. A server that is not Amazon's own stands
//! behind `?endpoint=`. Trusted: nothing but the form; whether the store knows such a bucket is
//! found out by asking it. Refused: another scheme, no bucket, no prefix, a user or password.

use super::plan::{Kind, Problem};
use object_store::path::Path;
use url::Url;

const ENDPOINT: &str = "?endpoint=";

/// A place in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The kind of store.
    pub kind: Kind,
    /// Bucket or container; empty for a folder.
    pub bucket: String,
    /// A key, or with a `/` at its end what keys begin with. For a folder an absolute path
    /// without its first `/`.
    pub prefix: String,
    /// The server, if it is not the provider's own.
    pub endpoint: Option<String>,
}

impl Named {
    /// The place as a URL without secrets.
    #[must_use]
    pub fn url(&self) -> String {
        let (root, prefix) = (self.root(), &self.prefix);
        match (self.kind, &self.endpoint) {
            (Kind::Folder, _) => Url::from_directory_path(format!("/{prefix}"))
                .map_or_else(|()| format!("file:///{prefix}"), String::from),
            (Kind::S3, Some(endpoint)) => {
                format!("{root}{prefix}{ENDPOINT}{}", endpoint.trim_end_matches('/'))
            }
            _ => format!("{root}{prefix}"),
        }
    }

    /// What stands before a key when it is shown to a person.
    #[must_use]
    pub fn root(&self) -> String {
        match self.kind {
            Kind::S3 => format!("s3://{}/", self.bucket),
            Kind::Gcs => format!("gs://{}/", self.bucket),
            Kind::Azure => format!("az://{}/", self.bucket),
            Kind::Folder => String::from("/"),
        }
    }
}

/// Reads a URL.
///
/// # Errors
/// It names no place in a store that is known here.
pub fn read(url: &str) -> Result<Named, Problem> {
    let (bare, endpoint) = match url.split_once(ENDPOINT) {
        Some((bare, endpoint)) => (bare, Some(endpoint.to_owned())),
        None => (url, None),
    };
    let (scheme, rest) = bare.split_once("://").unwrap_or_default();
    let kind = match scheme {
        "s3" | "s3a" => Kind::S3,
        "gs" => Kind::Gcs,
        "az" | "azure" | "abfs" => Kind::Azure,
        "file" => return folder(bare),
        _ => return Err(problem("begins with none of s3://, gs://, az:// and file:///")),
    };
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(problem("carries a user or password; keys go into AWS_…"));
    }
    if bucket.is_empty() {
        return Err(problem("names no bucket"));
    }
    Ok(Named { kind, bucket: bucket.to_owned(), prefix: key(path)?, endpoint })
}

fn folder(url: &str) -> Result<Named, Problem> {
    let path = Url::parse(url).ok().and_then(|url| url.to_file_path().ok());
    let path = path.ok_or_else(|| problem("names no folder: write file:///folder"))?;
    let prefix = key(&path.to_string_lossy())?;
    Ok(Named { kind: Kind::Folder, bucket: String::new(), prefix, endpoint: None })
}

fn key(path: &str) -> Result<String, Problem> {
    let key = Path::parse(path).map_err(|error| problem(&format!("names no key: {error}")))?;
    match (key.as_ref(), path.ends_with('/')) {
        ("", _) => Err(problem("names no prefix: write one, such as xml-events/")),
        (key, true) => Ok(format!("{key}/")),
        (key, false) => Ok(key.to_owned()),
    }
}

fn problem(message: &str) -> Problem {
    Problem { variable: "DESTINATION", message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        for url in [
            "s3://bucket/site/xml-events/",
            "s3://bucket/p/?endpoint=http://127.0.0.1:9000",
            "gs://my_bucket/my events/50%25/#1/",
            "az://container/p/",
            "file:///srv/with%20space/",
        ] {
            assert_eq!(read(url).unwrap().url(), url);
        }
    }

    #[test]
    fn keys_are_taken_as_they_stand_and_paths_of_files_are_decoded() {
        let named = |url| read(url).unwrap().prefix;
        assert_eq!(named("s3://bucket/my events/a%20b.xml"), "my events/a%20b.xml");
        assert_eq!(named("s3a://bucket//p/"), "p/");
        assert_eq!(named("file:///srv/with%20space/"), "srv/with space/");
        assert_eq!(named("file:///srv/1.xml"), "srv/1.xml");
    }

    #[test]
    fn what_names_no_place_is_refused_and_a_password_is_not_repeated() {
        for url in [
            "ftp://host/dir",
            "s3:bucket/p",
            "s3:///p/",
            "s3://bucket",
            "s3://bucket/",
            "s3://bucket/a//b/",
            "s3://bucket/../x/",
            "file://host/dir",
            "file:///",
            "/srv/out",
        ] {
            assert_eq!(read(url).unwrap_err().variable, "DESTINATION", "{url}");
        }
        let error = read("s3://key:hush@bucket/p/").unwrap_err();
        assert!(error.message.contains("password") && !error.message.contains("hush"));
    }
}
