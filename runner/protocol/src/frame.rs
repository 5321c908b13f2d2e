//! The stream from guest to host.

use serde::{Deserialize, Serialize};

use crate::{KernelFacts, Outcome, evidence};

/// The largest payload of one frame in bytes; a longer file comes in several frames.
pub const MAX_FRAME: usize = 64 * 1024;

const MARK: [u8; 4] = *b"\x1etfe";

/// The last frame of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// How the script ended.
    pub outcome: Outcome,
}

/// One message of the guest.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Booted, set up, waiting for a job.
    Ready(Box<KernelFacts>),
    /// More bytes for the evidence file of this name (one of [`evidence::ALL`]).
    File {
        /// Which file.
        name: &'static str,
        /// What to append.
        data: Vec<u8>,
    },
    /// All evidence is out.
    Finish(Box<Finish>),
    /// A line for whoever debugs the agent.
    Log(String),
}

/// Frames `data` for the evidence file `name`, split as [`MAX_FRAME`] demands.
pub fn encode_frame(name: &'static str, data: &[u8]) -> Vec<u8> {
    let index = evidence::ALL
        .iter()
        .position(|n| *n == name)
        .expect("a name of the closed list");
    let mut out = Vec::with_capacity(data.len() + 16);
    for chunk in data.chunks(MAX_FRAME - 1) {
        let mut payload = Vec::with_capacity(chunk.len() + 1);
        payload.push(index as u8);
        payload.extend_from_slice(chunk);
        put(&mut out, b'F', &payload);
    }
    out
}

/// Frames the "ready" message.
pub fn encode_ready(facts: &KernelFacts) -> Vec<u8> {
    let mut out = Vec::new();
    put(
        &mut out,
        b'R',
        &serde_json::to_vec(facts).expect("facts serialise"),
    );
    out
}

/// Frames the last message.
pub fn encode_finish(finish: &Finish) -> Vec<u8> {
    let mut out = Vec::new();
    put(
        &mut out,
        b'E',
        &serde_json::to_vec(finish).expect("an outcome serialises"),
    );
    out
}

/// Frames a line for whoever debugs the agent, cut to [`MAX_FRAME`].
pub fn encode_log(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(
        &mut out,
        b'L',
        &line.as_bytes()[..line.len().min(MAX_FRAME)],
    );
    out
}

fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.extend_from_slice(&MARK);
    out.push(kind);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&checksum(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// FNV-1a: enough to notice a broken stream; nobody defends against it.
fn checksum(data: &[u8]) -> u32 {
    data.iter().fold(0x811c_9dc5, |h, b| {
        (h ^ u32::from(*b)).wrapping_mul(0x0100_0193)
    })
}

/// Why a stream of frames makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// Bytes between frames.
    #[error("the evidence stream is out of step: bytes that start no frame")]
    OutOfStep,
    /// A frame over [`MAX_FRAME`].
    #[error("the evidence stream announces a frame of {0} bytes (limit {MAX_FRAME})")]
    TooLong(usize),
    /// A wrong checksum.
    #[error("a frame of the evidence stream is damaged")]
    Damaged,
    /// A kind or name this version does not know.
    #[error("the evidence stream has a frame this version does not know: {0}")]
    Unknown(String),
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    at: usize,
}

impl FrameReader {
    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 && self.at * 2 >= self.buffer.len() {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, `None` while there is none. After an error the stream is lost.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        const HEAD: usize = MARK.len() + 1 + 4 + 4;
        let rest = &self.buffer[self.at..];
        let known = rest.len().min(MARK.len());
        if rest[..known] != MARK[..known] {
            return Err(FrameError::OutOfStep);
        }
        if rest.len() < HEAD {
            return Ok(None);
        }
        let kind = rest[4];
        let word =
            |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let (len, sum) = (word(5) as usize, word(9));
        if len > MAX_FRAME {
            return Err(FrameError::TooLong(len));
        }
        let Some(payload) = rest.get(HEAD..HEAD + len) else {
            return Ok(None);
        };
        if checksum(payload) != sum {
            return Err(FrameError::Damaged);
        }
        let frame = decode(kind, payload)?;
        self.at += HEAD + len;
        Ok(Some(frame))
    }
}

fn decode(kind: u8, payload: &[u8]) -> Result<Frame, FrameError> {
    let json = |e: serde_json::Error| FrameError::Unknown(format!("{}: {e}", kind as char));
    match kind {
        b'R' => Ok(Frame::Ready(serde_json::from_slice(payload).map_err(json)?)),
        b'E' => Ok(Frame::Finish(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        b'L' => Ok(Frame::Log(String::from_utf8_lossy(payload).into_owned())),
        b'F' => {
            let (index, data) = payload
                .split_first()
                .ok_or_else(|| FrameError::Unknown("empty F".into()))?;
            let name = evidence::ALL
                .get(usize::from(*index))
                .ok_or_else(|| FrameError::Unknown(format!("file {index}")))?;
            Ok(Frame::File {
                name,
                data: data.to_vec(),
            })
        }
        other => Err(FrameError::Unknown(format!("kind {other:#x}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScriptResult;

    fn finish() -> Finish {
        Finish {
            outcome: Outcome {
                result: ScriptResult::Passed,
                ran_us: 7,
                notes: vec![],
            },
        }
    }

    #[test]
    fn frames_survive_any_cutting() {
        let mut stream = encode_ready(&KernelFacts::default());
        stream.extend(encode_frame(evidence::SS, &vec![b'x'; MAX_FRAME * 2]));
        stream.extend(encode_finish(&finish()));
        for step in [1, 7, 4096, stream.len()] {
            let mut reader = FrameReader::default();
            let mut frames = Vec::new();
            for part in stream.chunks(step) {
                reader.push(part);
                while let Some(frame) = reader.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 5, "step {step}");
            assert_eq!(frames[4], Frame::Finish(Box::new(finish())));
        }
    }

    #[test]
    fn damage_is_noticed() {
        let stream = encode_finish(&finish());
        for at in 0..stream.len() {
            let mut bad = stream.clone();
            bad[at] ^= 0x40;
            let mut reader = FrameReader::default();
            reader.push(&bad);
            // Either an error, or (a longer length) still waiting: never the frame.
            assert!(!matches!(reader.next_frame(), Ok(Some(_))), "byte {at}");
        }
    }
}
