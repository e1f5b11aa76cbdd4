//! A stand-in for a test: served in the test's own runtime, stopped and its record read at the end.

use loadcmp::standin::{EngineSpec, bind, serve};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Stage {
    pub url: String,
    #[allow(dead_code, reason = "only where there are Unix sockets")]
    pub socket: PathBuf,
    pub client: reqwest::Client,
    folder: TempDir,
    stop: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<()>>,
}

/// A row of the record, by column.
pub type Row = HashMap<String, String>;

pub fn raise(spec: EngineSpec) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("core.sock");
    let on_socket = cfg!(unix).then_some(socket.as_path());
    let listeners = bind(Some("127.0.0.1:0".parse().unwrap()), on_socket, false).unwrap();
    let url = format!("http://{}", listeners.address().unwrap());
    let (stop, stopped) = oneshot::channel();
    let record = folder.path().join("record.csv");
    let served = tokio::spawn(serve(spec, listeners, Some(record), async {
        let _ = stopped.await;
    }));
    Stage { url, socket, client: reqwest::Client::new(), folder, stop, served }
}

impl Stage {
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> reqwest::Response {
        self.client.post(format!("{}{path}", self.url)).json(&body).send().await.unwrap()
    }

    /// Status and JSON of a POST.
    pub async fn ask(&self, path: &str, body: Value) -> (u16, Value) {
        let reply = self.post(path, body).await;
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    /// The lines of a streamed answer, as JSON.
    pub async fn lines(&self, path: &str, body: Value) -> Vec<Value> {
        let text = self.post(path, body).await.text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The events of a server-sent stream; `[DONE]` as a string.
    pub async fn events(&self, path: &str, body: Value) -> Vec<Value> {
        let reply = self.post(path, body).await;
        assert_eq!(reply.headers()["content-type"], "text/event-stream");
        let text = reply.text().await.unwrap();
        assert!(text.is_empty() || text.ends_with("\n\n"), "{text:?}");
        let event = |event: &str| {
            let data = event.strip_prefix("data: ").unwrap();
            serde_json::from_str(data).unwrap_or_else(|_| Value::from(data))
        };
        text.split("\n\n").filter(|event| !event.is_empty()).map(event).collect()
    }

    pub fn host(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Stops the stand-in and reads its record.
    pub async fn strike(self) -> Vec<Row> {
        drop(self.client);
        let _ = self.stop.send(());
        tokio::time::timeout(Duration::from_secs(10), self.served).await.unwrap().unwrap().unwrap();
        assert!(!self.socket.exists(), "the socket file is gone");
        let text = std::fs::read_to_string(self.folder.path().join("record.csv")).unwrap();
        let mut lines = text.lines();
        let header: Vec<_> = lines.next().unwrap().split(',').collect();
        assert_eq!(header.join(","), loadcmp::standin::COLUMNS);
        let row = |line: &str| {
            let fields: Vec<_> = line.split(',').collect();
            assert_eq!(fields.len(), header.len(), "{line}");
            header.iter().zip(fields).map(|(name, field)| ((*name).to_owned(), field.to_owned())).collect()
        };
        lines.map(row).collect()
    }
}

/// A stamp of a row.
pub fn at(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} in {row:?}"))
}
