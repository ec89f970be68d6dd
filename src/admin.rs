//! The admin listener: health, readiness, metrics, status. Read-only.
//!
//! Trusted: nothing a client sends. Only GET and HEAD are answered, a request with a body or of
//! more than 8 KiB is not read, every connection ends after [`LONGEST`], and at most
//! [`MOST_CLIENTS`] are served at once, and a silent one makes room for the next, so a slow or silent
//! client costs nothing. A `Host` that a
//! stranger's page could bring (DNS rebinding) is refused. No personal data is here to be shown.

mod clients;
pub mod guard;
pub mod page;
pub mod status;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use clients::Clients;
use guard::{Guard, Refusal};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use status::Status;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A connection is served for at most this long.
pub const LONGEST: Duration = Duration::from_secs(20);
/// The head of a request must be there within this time.
pub const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// Clients served at once; the next one replaces the oldest of the address with most.
pub const MOST_CLIENTS: usize = 64;
/// The head of a request may have this many bytes.
const HEAD_BYTES: usize = 8 * 1024;

/// Where the admin listener gets its facts.
pub trait Facts: Send + Sync + 'static {
    /// How the process is.
    fn status(&self) -> Status;
    /// All metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

#[derive(Clone)]
struct Shared {
    facts: Arc<dyn Facts>,
    guard: Arc<Guard>,
}

/// Serves until the order to stop.
pub async fn serve(
    listener: TcpListener,
    guard: Guard,
    facts: Arc<dyn Facts>,
    mut stop: watch::Receiver<bool>,
) {
    let app = router(Shared { facts, guard: Arc::new(guard) });
    let mut clients = Clients::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = clients.ended() => continue,
            _ = stop.wait_for(|stop| *stop) => return clients.leave(),
        };
        match accepted {
            Ok((stream, remote)) => clients.admit(remote.ip(), attend(stream, app.clone())),
            Err(error) => {
                tracing::warn!(%error, "the admin listener could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await; // no tight loop while file descriptors are out
            }
        }
    }
}

/// One client. How it ends concerns nobody but the client.
async fn attend(stream: TcpStream, app: Router) {
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    if let Ok(Err(error)) = tokio::time::timeout(LONGEST, serving).await {
        tracing::debug!(%error, "an admin client went away");
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/status", get(api_status))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found: try / or /api/status\n") })
        .layer(middleware::from_fn_with_state(shared.clone(), admit))
        .with_state(shared)
}

async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let judged = {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let open = matches!(request.uri().path(), "/healthz" | "/readyz");
        shared.guard.check(header(header::HOST), header(header::AUTHORIZATION), open)
    };
    match judged {
        Ok(()) => harden(next.run(request).await),
        Err(refusal @ Refusal::Token) => {
            // The second makes a browser ask for it, so that a person can see the page; browsers do
            // not look for it behind a comma.
            let ask = ["Bearer", "Basic realm=\"ADMIN_TOKEN\""];
            let ask = AppendHeaders(ask.map(|way| (header::WWW_AUTHENTICATE, way)));
            (StatusCode::UNAUTHORIZED, ask, refusal.to_string()).into_response()
        }
        Err(refusal) => (StatusCode::FORBIDDEN, refusal.to_string()).into_response(),
    }
}

/// Nothing of ours may be framed, guessed at, cached or allowed to load anything.
fn harden(mut response: Response) -> Response {
    const HEADERS: [(header::HeaderName, &str); 5] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

async fn index(State(shared): State<Shared>) -> Html<String> {
    Html(page::render(&shared.facts.status()))
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// Readiness is about taking events: a store that is away, or a silent appliance, is told and does
/// not make a listener unready. Details only for those who may see the status.
async fn readyz(State(shared): State<Shared>, headers: HeaderMap) -> (StatusCode, String) {
    let status = shared.facts.status();
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let may_see = shared.guard.check(None, given, false).is_ok();
    let code = match status.why_not_ready() {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, status.readiness(may_see))
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.facts.metrics())
}

async fn api_status(State(shared): State<Shared>) -> Json<Status> {
    Json(shared.facts.status())
}
