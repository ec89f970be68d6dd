//! Asks the admin listener of a running program, for `status`, `healthcheck` and `ledger`.

use crate::admin::status::Status;
use crate::config::Settings;
use anyhow::{Context, Result, bail};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// An answer takes no longer, or it is none.
const LIMIT: Duration = Duration::from_secs(5);
/// Largest answer, in bytes.
const LARGEST: usize = 16 << 20;

/// The answer to a GET of `path`.
///
/// # Errors
/// Nobody answered in time; the text says what to do.
pub(super) fn get(settings: &Settings, path: &str) -> Result<(StatusCode, String)> {
    let Some(admin) = &settings.admin else { bail!("ADMIN_ADDR is off, so nobody can be asked") };
    let address = reachable(admin.addr);
    let token = admin.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exchange = async {
        let answer = tokio::time::timeout(LIMIT, ask(address, path, token)).await;
        answer.context("no answer within 5 s")?
    };
    runtime.block_on(exchange).with_context(|| {
        format!("no answer from {address} (ADMIN_ADDR): is the program running, with this setting?")
    })
}

/// The status of the running program.
///
/// # Errors
/// Nobody answered, or something else than a status.
pub(super) fn status(settings: &Settings) -> Result<Status> {
    let (code, text) = get(settings, "/api/status")?;
    match code {
        StatusCode::OK => {
            serde_json::from_str(&text).context("the answer is no status of this version")
        }
        code => bail!("the admin listener refused ({code}): {}", text.trim()),
    }
}

/// What listens on every address is asked on this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
    }
    address
}

async fn ask(
    address: SocketAddr,
    path: &str,
    token: Option<String>,
) -> Result<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut request = Request::get(path).header(header::HOST, address.to_string());
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token);
    }
    let response = sender.send_request(request.body(Body::empty())?).await?;
    let status = response.status();
    let body = to_bytes(Body::new(response.into_body()), LARGEST).await?;
    driver.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
