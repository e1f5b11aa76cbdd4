//! Reads the figures that engines publish in Prometheus's format, every two seconds, on a thread of its own: the measured
//! path must not wait for a page to be read. No load: one small question to each target that names such a page.

use super::discover::{client, words};
use super::exposition::known;
use super::route::own_headers;
use super::tls::Tls;
use super::transport::HeaderMap;
use crate::host::lock;
use crate::record::Stopwatch;
use crate::scenario::{Address, TargetSpec, TlsSpec, scrub};
use reqwest::{Client, Response, Url};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Time between two readings of a page.
const PERIOD: Duration = Duration::from_secs(2);

/// Longest wait for one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Largest page that is read, in bytes.
const LARGEST: usize = 4 << 20;

/// A page to read.
#[derive(Clone, Debug)]
pub struct Page {
    /// Position of the target in the plan.
    pub target: usize,
    /// Its address.
    pub url: String,
    /// The target's settings, for how its certificate is checked.
    pub spec: TargetSpec,
    /// Whether the page is the target's own server's: then it gets its token and headers, and nobody else does.
    pub own: bool,
}

/// A page with the client that asks for it.
struct ScrapedPage {
    target: usize,
    client: Result<(Client, Url), String>,
}

/// One figure, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Scraped {
    /// Seconds since the run's start.
    pub t_s: f64,
    /// Position of the target in the plan.
    pub target: usize,
    /// Its name, as the engine wrote it.
    pub metric: String,
    /// Its labels, as the engine wrote them.
    pub labels: String,
    /// Its value.
    pub value: f64,
}

/// Reads pages until it is stopped.
pub struct Scraper {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    silent: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Scraper {
    /// Starts reading; each page's figures go to `tell` as they come.
    pub fn start(
        pages: Vec<Page>,
        clock: Stopwatch,
        tell: impl FnMut(&[Scraped]) + Send + 'static,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        let silent = Arc::new(Mutex::new(Vec::new()));
        let kept = silent.clone();
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            let mut reading = Reading { clock, tell, silent: kept };
            // Once: authorities are many to read.
            let asked: Vec<ScrapedPage> = pages.iter().map(ScrapedPage::new).collect();
            runtime.block_on(async {
                let mut spoken = vec![false; asked.len()];
                tokio::select! {
                    () = reading.on(&asked, &mut spoken) => {}
                    _ = ended => {}
                }
                // What was used up to the window's end lies between two readings.
                let _ = tokio::time::timeout(PATIENCE, reading.all(&asked, &mut spoken)).await;
            });
        })?;
        Ok(Self { end, thread, silent })
    }

    /// Stops, and says which targets' pages never gave a figure, each with why.
    pub fn stop(self) -> Vec<(usize, String)> {
        let _ = self.end.send(());
        let _ = self.thread.join();
        std::mem::take(&mut lock(&self.silent))
    }
}

struct Reading<F> {
    clock: Stopwatch,
    tell: F,
    silent: Arc<Mutex<Vec<(usize, String)>>>,
}

impl<F: FnMut(&[Scraped])> Reading<F> {
    /// Reads all pages again and again. Which have ever given a figure is kept in `spoken`.
    async fn on(&mut self, pages: &[ScrapedPage], spoken: &mut [bool]) {
        let mut beat = tokio::time::interval(PERIOD);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            self.all(pages, spoken).await;
        }
    }

    async fn all(&mut self, pages: &[ScrapedPage], spoken: &mut [bool]) {
        for (page, spoken) in pages.iter().zip(spoken) {
            let told = self.read(page).await;
            *spoken |= told.is_ok();
            let mut silent = lock(&self.silent);
            silent.retain(|(target, _)| *target != page.target);
            if let (Err(why), false) = (told, *spoken) {
                silent.push((page.target, why));
            }
        }
    }

    /// Reads a page and hands on its figures.
    async fn read(&mut self, page: &ScrapedPage) -> Result<(), String> {
        let before = self.clock.now().seconds();
        let text = fetch(page).await?;
        // The figures are of some moment while it was asked.
        let t_s = (before + self.clock.now().seconds()) / 2.0;
        let told: Vec<Scraped> = known(&text)
            .filter(|figure| figure.value.is_finite())
            .map(|figure| Scraped {
                t_s,
                target: page.target,
                metric: figure.name.to_owned(),
                // A server may repeat what it was sent, or was started with.
                labels: scrub(figure.labels).into_owned(),
                value: figure.value,
            })
            .collect();
        if told.is_empty() {
            return Err("the page has no known metrics".to_owned());
        }
        (self.tell)(&told);
        Ok(())
    }
}

impl ScrapedPage {
    fn new(page: &Page) -> Self {
        Self { target: page.target, client: Self::client(page) }
    }

    fn client(page: &Page) -> Result<(Client, Url), String> {
        let address = Address::parse(&page.url).map_err(|why| format!("its address {why}"))?;
        let port = address.port_or_default();
        let host = if address.host.contains(':') { format!("[{}]", address.host) } else { address.host.clone() };
        let scheme = if address.tls { "https" } else { "http" };
        let url =
            Url::parse(&format!("{scheme}://{host}:{port}{}", address.prefix)).map_err(|error| error.to_string())?;
        let tls = match page.spec.tls() {
            Some(spec) if address.tls => Some(Tls::new(&address.host, spec)?),
            None if address.tls => Some(Tls::new(&address.host, &TlsSpec::default())?),
            _ => None,
        };
        let headers = if page.own { own_headers(&page.spec)? } else { HeaderMap::new() };
        // A connection for each reading: one that is kept would take a place of those that some servers have few of.
        let more = |plain: reqwest::ClientBuilder| plain.default_headers(headers).pool_max_idle_per_host(0);
        let client = client(PATIENCE, tls.as_ref(), more)?;
        Ok((client, url))
    }
}

async fn fetch(page: &ScrapedPage) -> Result<String, String> {
    let (client, url) = page.client.clone()?;
    let answer = client.get(url).send().await.map_err(words)?;
    if !answer.status().is_success() {
        return Err(format!("it returned status {}", answer.status().as_u16()));
    }
    body(answer).await
}

/// The body of an answer, unless it is too large.
async fn body(mut answer: Response) -> Result<String, String> {
    let mut page = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(words)? {
        if page.len() + chunk.len() > LARGEST {
            return Err(format!("the page is larger than {} MiB", LARGEST >> 20));
        }
        page.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}
