//! HTTP and HTTPS, through whatever proxy apt or the environment names.

use std::io::Read;
use std::time::Duration;

use ureq::http::header::{
    CONTENT_RANGE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use ureq::http::{HeaderMap, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::apt::AptConfig;
use crate::apt::ProxyChoice;
use crate::{Error, Result};

const CONNECT: Duration = Duration::from_secs(15);
/// A server that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 3;

/// What a server says about the version of a file, for asking whether it changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

/// A file that may have changed.
pub(super) enum Changed {
    No,
    Yes(Vec<u8>, Validators),
}

/// The body of an answer, beginning at some byte of the file.
pub(super) struct Download {
    pub(super) body: Box<dyn Read + Send>,
    /// Where it begins: what was asked for, or 0 if the server cannot resume.
    pub(super) from: u64,
}

pub(super) struct Http {
    apt: AptConfig,
}

impl Http {
    pub(super) fn new(apt: AptConfig) -> Http {
        Http { apt }
    }

    /// Fetches a small file whole, unless the server says it is as `known` says. `patience`:
    /// whether a failure is worth a second attempt.
    pub(super) fn get_if_changed(
        &self,
        url: &str,
        known: &Validators,
        patience: bool,
    ) -> Result<Changed> {
        let mut headers = HeaderMap::new();
        let values = [
            (IF_NONE_MATCH, &known.etag),
            (IF_MODIFIED_SINCE, &known.last_modified),
        ];
        for (name, value) in values {
            if let Some(value) = value.as_ref().and_then(|v| v.parse().ok()) {
                headers.insert(name, value);
            }
        }
        let once = || {
            let answer = self.request(url, &headers)?;
            if answer.status() == StatusCode::NOT_MODIFIED {
                return Ok(Changed::No);
            }
            let text = |name| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
            let validators = Validators {
                etag: text(ETAG),
                last_modified: text(LAST_MODIFIED),
            };
            let mut data = Vec::new();
            // No InRelease file comes near this size; a stray disk image would.
            let mut body = answer.into_body().into_reader().take(64 << 20);
            body.read_to_end(&mut data)
                .map_err(|error| network(url, &error))?;
            Ok(Changed::Yes(data, validators))
        };
        if patience {
            with_patience(once)
        } else {
            once()
        }
    }

    /// Asks whether a file is there.
    pub(super) fn look(&self, url: &str) -> Result<()> {
        let answer = self
            .agent(url)?
            .head(url)
            .call()
            .map_err(|error| network(url, &error))?;
        judge(url, answer.status())
    }

    /// Begins a download at byte `from`.
    pub(super) fn get_from(&self, url: &str, from: u64) -> Result<Download> {
        let mut headers = HeaderMap::new();
        if from > 0 {
            let range = format!("bytes={from}-");
            headers.insert(RANGE, range.parse().expect("digits make a header value"));
        }
        let answer = self.request(url, &headers)?;
        let starts = || {
            let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
            range
                .strip_prefix("bytes ")?
                .split('-')
                .next()?
                .parse()
                .ok()
        };
        let from = match answer.status() {
            StatusCode::PARTIAL_CONTENT => starts().unwrap_or(from),
            _ => 0,
        };
        Ok(Download {
            body: Box::new(answer.into_body().into_reader()),
            from,
        })
    }

    fn request(&self, url: &str, headers: &HeaderMap) -> Result<ureq::http::Response<ureq::Body>> {
        let mut request = self.agent(url)?.get(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.call().map_err(|error| network(url, &error))?;
        judge(url, answer.status())?;
        Ok(answer)
    }

    fn agent(&self, url: &str) -> Result<Agent> {
        let bad = |why: String| Error::BadMirror {
            address: url.to_owned(),
            why,
        };
        let uri: Uri = url.parse().map_err(|error| bad(format!("{error}")))?;
        let (scheme, host) = (uri.scheme_str().unwrap_or(""), uri.host().unwrap_or(""));
        if !matches!(scheme, "http" | "https") {
            return Err(bad("only http and https are supported".to_owned()));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("tunfarm/", env!("CARGO_PKG_VERSION")))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::PlatformVerifier)
                    .build(),
            );
        // ureq itself reads http_proxy, https_proxy and no_proxy, as apt does.
        let config = match self.apt.proxy(scheme, host, url) {
            // Nobody means this machine's own servers to be asked for through a proxy.
            _ if is_loopback(host) => config.proxy(None),
            ProxyChoice::Unset => config,
            ProxyChoice::Direct => config.proxy(None),
            ProxyChoice::Proxy(proxy) => {
                let parsed = Proxy::new(&proxy).map_err(|error| Error::BadMirror {
                    address: proxy.clone(),
                    why: format!("apt names it as the proxy: {error}"),
                })?;
                config.proxy(Some(parsed))
            }
        };
        Ok(config.build().new_agent())
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn judge(url: &str, status: StatusCode) -> Result<()> {
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => Ok(()),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Error::Missing {
            url: url.to_owned(),
        }),
        status => Err(Error::Status {
            url: url.to_owned(),
            status: status.as_u16(),
        }),
    }
}

/// Tries again what a second attempt may cure.
pub(super) fn with_patience<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut tries = 1;
    loop {
        match attempt() {
            Err(error) if tries < ATTEMPTS && is_passing(&error) => tries += 1,
            done => return done,
        }
        std::thread::sleep(Duration::from_millis(200) * tries);
    }
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::Network { .. } => true,
        Error::Status { status, .. } => *status >= 500 || *status == 429,
        _ => false,
    }
}

pub(super) fn network(url: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Network {
        url: url.to_owned(),
        why: error.to_string(),
    }
}
