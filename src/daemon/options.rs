//! From the settings to each part's own options: no part sees the whole configuration.

use super::recoverer::SieveRecoverer;
use crate::admin::guard::Guard;
use crate::config::Settings;
use crate::config::settings::{Encryption, Place, Tls};
use crate::ingest::{silence, tls};
use crate::{ingest, spool, upload};
use std::sync::Arc;

/// What sealing and recovery need beside one event, in bytes.
const RESERVE: u64 = 1 << 20;

pub(super) fn spool(settings: &Settings) -> spool::Options {
    let own = &settings.spool;
    spool::Options {
        dir: own.data_dir.clone(),
        sync_interval: own.sync_interval,
        rotation_interval: own.rotation_interval,
        max_file_size: own.max_file_size,
        max_spool_size: own.max_spool_size,
        reserve: settings.sieve.max_message_size as u64 + RESERVE,
        element: settings.sieve.element.clone(),
        form: own.form,
        recoverer: Arc::new(SieveRecoverer),
    }
}

pub(super) fn ingest(settings: &Settings) -> Result<ingest::Options, tls::AllUnusable> {
    let own = &settings.listen;
    Ok(ingest::Options {
        sieve: settings.sieve.clone(),
        event_timeout: own.event_timeout,
        idle_timeout: own.idle_timeout,
        max_connections: own.max_connections,
        max_connections_per_peer: own.max_connections_per_peer,
        max_buffer_memory: own.max_buffer_memory,
        allow_from: own.allow_from.clone(),
        rate_limit: own.rate_limit,
        tls: own.tls.as_ref().map(gate).transpose()?,
        silence: None, // needs the spool's folder, which is not ours yet
    })
}

pub(super) fn silence(settings: &Settings) -> Option<silence::Options> {
    let file = settings.spool.data_dir.join("peers.json");
    settings.listen.silence_alarm.map(|limit| silence::Options { limit, file })
}

fn gate(own: &Tls) -> Result<Arc<tls::Gate>, tls::AllUnusable> {
    let (cert, key) = (own.cert_file.clone(), own.key_file.clone());
    let files = tls::Files { cert, key, client_ca: own.client_ca_file.clone() };
    tls::Gate::open(files).map(Arc::new)
}

pub(super) fn upload(settings: &Settings) -> upload::Options {
    upload::Options {
        concurrency: settings.upload.concurrency,
        memory: settings.upload.memory,
        instance: settings.instance_id.clone(),
        ..upload::Options::default()
    }
}

pub(crate) fn destination(settings: &Settings) -> upload::DestinationOptions {
    let own = &settings.destination;
    let beside = |prefix: &str| match &own.place {
        Place::Folder { root } => Some(root.join(prefix).to_string_lossy().into_owned()),
        _ => Some(prefix.to_owned()),
    };
    upload::DestinationOptions {
        quarantine: beside(&own.quarantine),
        logs: beside(&own.logs),
        manifests: beside(&own.manifests),
        aws: aws(settings),
        ..upload::DestinationOptions::new(own.url())
    }
}

fn aws(settings: &Settings) -> upload::AwsOptions {
    let own = &settings.upload.aws;
    let (sse, sse_kms_key_id) = match &own.encryption {
        None => (None, None),
        Some(Encryption::Aes256) => (Some("AES256"), None),
        Some(Encryption::Kms(key)) => (Some("aws:kms"), key.clone()),
        Some(Encryption::KmsDsse(key)) => (Some("aws:kms:dsse"), key.clone()),
    };
    upload::AwsOptions {
        access_key_id: own.access_key_id.clone(),
        secret_access_key: own.secret_access_key.clone(),
        session_token: own.session_token.clone(),
        region: own.region.clone(),
        profile: own.profile.clone(),
        endpoint: own.endpoint.as_ref().map(ToString::to_string),
        sse: sse.map(str::to_owned),
        sse_kms_key_id,
        ..upload::AwsOptions::from_environment(std::env::vars())
    }
}

pub(super) fn guard(settings: &Settings) -> Guard {
    Guard {
        token: settings.admin.as_ref().and_then(|admin| admin.token.clone()),
        names: vec![settings.instance_id.clone()],
    }
}
