//! A small HTTP server on 127.0.0.1 that has the archive of `tests/archive`, and misbehaves as told.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How a file is answered, as long as its turn lasts.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 404.
    Gone,
    /// This status.
    Status(u16),
    /// Only so many bytes, as if that were all.
    Short(usize),
    /// All is announced, and the connection ends after so many bytes.
    Cut(usize),
    /// Other bytes of the same length.
    Damaged,
    /// `Range` is ignored.
    NoRanges,
}

#[derive(Default)]
struct State {
    /// End of the path, the fault, and how many requests it holds for.
    faults: Vec<(String, Fault, usize)>,
    /// Method, path and range of every request.
    requests: Vec<String>,
}

/// The server; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/archive")
        .join(path)
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (their_state, their_stop) = (state.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if their_stop.load(Ordering::SeqCst) {
                    break;
                }
                let state = their_state.clone();
                std::thread::spawn(move || drop(answer(stream.unwrap(), &state)));
            }
        });
        Server {
            address,
            state,
            stop,
            thread: Some(thread),
        }
    }

    /// What a user would give as `--mirror`.
    pub fn mirror(&self) -> String {
        format!("http://{}/debian", self.address)
    }

    /// The next `times` requests for a path with this end go wrong.
    pub fn fault(&self, end: &str, fault: Fault, times: usize) {
        self.state
            .lock()
            .unwrap()
            .faults
            .push((end.to_owned(), fault, times));
    }

    /// The requests so far whose line contains `part`.
    pub fn requests(&self, part: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state
            .requests
            .iter()
            .filter(|line| line.contains(part))
            .cloned()
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (mut from, mut known) = (0, None);
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                from = value["bytes=".len()..]
                    .trim_end_matches('-')
                    .parse()
                    .unwrap()
            }
            "if-none-match" => known = Some(value.to_owned()),
            _ => {}
        }
    }
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests.push(format!("{method} {path} from {from}"));
        let fault = state
            .faults
            .iter_mut()
            .find(|(end, _, n)| *n > 0 && path.ends_with(end));
        fault.map(|(_, fault, times)| {
            *times -= 1;
            fault.clone()
        })
    };
    let status =
        |text: &str| format!("HTTP/1.1 {text}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let file = path
        .strip_prefix("/debian/")
        .and_then(|inside| fs::read(data(inside)).ok());
    let Some(mut body) = file.filter(|_| !matches!(fault, Some(Fault::Gone))) else {
        return stream.write_all(status("404 Not Found").as_bytes());
    };
    let etag = format!("\"{}\"", body.len());
    match fault {
        Some(Fault::Status(code)) => {
            return stream.write_all(status(&format!("{code} Fault")).as_bytes());
        }
        Some(Fault::Short(length)) => body.truncate(length),
        Some(Fault::Damaged) => body.iter_mut().for_each(|byte| *byte ^= 1),
        Some(Fault::NoRanges) => from = 0,
        _ if known == Some(etag.clone()) => {
            return stream.write_all(status("304 Not Modified").as_bytes());
        }
        _ => {}
    }
    let body = &body[from.min(body.len())..];
    let code = if from > 0 {
        "206 Partial Content"
    } else {
        "200 OK"
    };
    let range = match from {
        0 => String::new(),
        _ => format!(
            "Content-Range: bytes {from}-{}/*\r\n",
            from + body.len() - 1
        ),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code}\r\nContent-Length: {length}\r\n{range}ETag: {etag}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let sent = match fault {
        Some(Fault::Cut(end)) => end.min(body.len()),
        _ => body.len(),
    };
    if method != "HEAD" {
        stream.write_all(&body[..sent])?;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // Until the client has seen it: closing with unread bytes would reset the connection.
    let _ = stream.read(&mut [0; 1]);
    Ok(())
}
