//! Figures over HTTP, for a Prometheus to scrape.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `GET /metrics` on `listener` with what `text` gives, which is `OpenMetrics`, until `stop` is cancelled; fails when
/// the transport does.
pub async fn serve_metrics(
    listener: TcpListener,
    text: impl Fn() -> String + Send + Sync + 'static,
    stop: CancellationToken,
) -> io::Result<()> {
    let text = Arc::new(text);
    let answer = move || {
        let text = text();
        async move { ([(CONTENT_TYPE, CONTENT)], text) }
    };
    let router = Router::new().route("/metrics", get(answer));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn metrics_are_served_until_the_server_is_stopped() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let text = || "# TYPE a gauge\na 1.0\n# EOF\n".to_owned();
        let server = tokio::spawn(serve_metrics(listener, text, stop.clone()));
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        connection.write_all(request).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("application/openmetrics-text"));
        assert!(answer.ends_with("a 1.0\n# EOF\n"), "{answer}");
        stop.cancel();
        server.await.unwrap().unwrap();
    }
}
