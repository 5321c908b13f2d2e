//! One suite: its InRelease file, fetched, checked and kept.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::http::{Changed, Validators};
use super::mirror::CODENAMES;
use super::release::Release;
use super::{Archive, http, index};
use crate::progress::Step;
use crate::{Digest, Error, Result};

/// A suite whose signature was checked.
pub struct Suite {
    /// Its name, as asked for.
    pub name: String,
    /// The address of the mirror it is on.
    pub mirror: String,
    release: Release,
}

/// What is kept of a suite.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// `None`: the mirror has no such suite.
    in_release: Option<Digest>,
    validators: Validators,
    /// Seconds since 1970 when the server was last asked.
    asked: u64,
}

const KIND: &str = "suites";

impl Archive {
    /// Looks at a suite, on the first mirror that has it.
    pub fn suite(&self, name: &str) -> Result<Suite> {
        let mirrors = self.mirrors().for_suite(name);
        for mirror in mirrors {
            match self.suite_at(name, mirror) {
                Err(Error::Missing { .. }) => {}
                found => return found,
            }
        }
        let known = self.mirrors().suites();
        let names = known.iter().map(String::as_str).chain(CODENAMES);
        let hint = match tunfarm_config::nearest(name, names).filter(|near| *near != name) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if mirrors.is_empty() => {
                "; apt is configured with no security archive: name one with --mirror MAIN,SECURITY"
                    .to_owned()
            }
            None => String::new(),
        };
        Err(Error::NoSuite {
            suite: name.to_owned(),
            mirrors: mirrors.join(", "),
            hint,
        })
    }

    fn suite_at(&self, name: &str, mirror: &str) -> Result<Suite> {
        let url = format!("{mirror}/dists/{name}/InRelease");
        let data = self.in_release(name, &url)?;
        let release = Release::verify(&data, &url, &self.keyring)?;
        if self.check_valid_until {
            self.note_expiry(name, &release);
        }
        Ok(Suite {
            name: name.to_owned(),
            mirror: mirror.to_owned(),
            release,
        })
    }

    /// The bytes of InRelease: from the cache while they are fresh or the network is away.
    fn in_release(&self, name: &str, url: &str) -> Result<Vec<u8>> {
        let key = Digest::of(url.as_bytes());
        let mut kept: Option<Kept> = self.cache().record(KIND, &key);
        let mut cached = None;
        if let Some(Kept {
            in_release: Some(digest),
            ..
        }) = &kept
        {
            cached = self
                .cache()
                .blob(digest)?
                .and_then(|path| fs::read(path).ok());
            if cached.is_none() {
                kept = None;
            }
        }
        let fresh = kept
            .as_ref()
            .is_some_and(|kept| age(kept.asked) < self.fresh_for);
        if fresh {
            return cached.ok_or_else(|| Error::Missing {
                url: url.to_owned(),
            });
        }
        let validators = kept
            .as_ref()
            .map(|kept| kept.validators.clone())
            .unwrap_or_default();
        let keep = |in_release, validators| {
            let kept = Kept {
                in_release,
                validators,
                asked: now(),
            };
            self.cache().put_record(KIND, &key, &kept)
        };
        let patience = cached.is_none();
        match (
            self.http.get_if_changed(url, &validators, patience),
            cached,
            kept,
        ) {
            (Ok(Changed::Yes(data, validators)), ..) => {
                // Checked before it is kept: what is not signed must not take the place of what is.
                Release::verify(&data, url, &self.keyring)?;
                let (digest, _) = self.cache().put(&data)?;
                keep(Some(digest), validators)?;
                Ok(data)
            }
            (Ok(Changed::No), Some(data), Some(kept)) => {
                keep(kept.in_release, kept.validators)?;
                Ok(data)
            }
            (Ok(Changed::No), ..) => Err(http::network(
                url,
                &"the server says it has not changed since never",
            )),
            (Err(Error::Missing { url }), ..) => {
                keep(None, Validators::default())?;
                Err(Error::Missing { url })
            }
            (
                Err(error @ (Error::Network { .. } | Error::Status { .. })),
                Some(data),
                Some(kept),
            ) => {
                let minutes = age(kept.asked).as_secs() / 60;
                let text =
                    format!("using the index of {name} as it was {minutes} minutes ago: {error}");
                self.progress().step(Step::Note { text: &text });
                Ok(data)
            }
            // It was not there when the server could last be asked.
            (Err(Error::Network { .. }), None, Some(_)) => Err(Error::Missing {
                url: url.to_owned(),
            }),
            (Err(error), ..) => Err(error),
        }
    }

    /// An index past its date may be a frozen mirror or one held back by somebody. Kernels are
    /// run in a virtual machine and looked at, not installed, so a note is enough.
    fn note_expiry(&self, name: &str, release: &Release) {
        let Some(until) = release.valid_until() else {
            return;
        };
        if index::date(&until).is_some_and(|until| until < now()) {
            let text =
                format!("the index of {name} was valid until {until}: newer kernels may exist");
            self.progress().step(Step::Note { text: &text });
        }
    }

    /// Does `work` with every suite that is there and may have kernels. One that cannot be used
    /// is noted and left out; only if none can it is an error.
    pub(crate) fn each_suite<R: Send>(
        &self,
        work: impl Fn(&Suite) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let names = self.mirrors().suites();
        let done = in_parallel(&names, |name| {
            self.suite(name).and_then(|suite| work(&suite))
        });
        let (mut results, mut failed) = (Vec::new(), None);
        for (name, done) in names.iter().zip(done) {
            match done {
                Ok(result) => results.push(result),
                Err(error) => {
                    if !matches!(error, Error::NoSuite { .. }) {
                        let text = format!("the kernels of {name} are left out: {error}");
                        self.progress().step(Step::Note { text: &text });
                    }
                    // A suite that is not there explains less than any other failure.
                    if failed
                        .as_ref()
                        .is_none_or(|f| matches!(f, Error::NoSuite { .. }))
                    {
                        failed = Some(error);
                    }
                }
            }
        }
        match failed {
            Some(error) if results.is_empty() => Err(error),
            _ => Ok(results),
        }
    }
}

/// Does `work` for every item, some at once, and returns what came of it in the items' order.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const AT_ONCE: usize = 4;
    let chunk = items.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items
            .chunks(chunk)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let done = |thread: std::thread::ScopedJoinHandle<'_, Vec<R>>| match thread.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().flat_map(done).collect()
    })
}

impl Suite {
    pub(super) fn release(&self) -> &Release {
        &self.release
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn age(asked: u64) -> Duration {
    Duration::from_secs(now().saturating_sub(asked))
}
