//! `healthcheck`: what a container engine asks every few seconds.

use super::ask;
use crate::config::Settings;
use axum::http::StatusCode;
use std::process::ExitCode;

/// It has no arguments of its own.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Exit code 0 if the running program takes events, 1 with the reason if not.
#[must_use]
pub fn run(_args: &Args, settings: &Settings) -> ExitCode {
    match ask::get(settings, "/readyz") {
        Ok((StatusCode::OK, _)) => {
            println!("ready");
            ExitCode::SUCCESS
        }
        Ok((code, reason)) => {
            eprintln!("not ready ({code}): {}", reason.trim());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("not ready: {error:#}");
            ExitCode::FAILURE
        }
    }
}
