//! QEMU's fw_cfg: how the job comes in.
//!
//! A selector register at port 0x510 chooses an entry, the data register at 0x511 gives its bytes
//! one after the other (QEMU, `docs/specs/fw_cfg.rst`). Entry 0x19 lists the named files: a count
//! and then records of 64 bytes, all numbers big-endian.

use std::io;

use crate::port::Ports;

const SELECTOR: u16 = 0x510;
const DATA: u16 = 0x511;
const SIGNATURE: u16 = 0x00;
const DIRECTORY: u16 = 0x19;
const RECORD: usize = 64;
/// QEMU refuses more named files than this long before (`FW_CFG_FILE_SLOTS_DFLT` is 32).
const MOST_FILES: u32 = 4096;
/// The largest job that is taken, in bytes: a driver, a script and a packetdrill are a few MB.
const LARGEST: u32 = 64 << 20;

/// A named file of fw_cfg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    size: u32,
    select: u16,
}

/// fw_cfg of this machine.
#[derive(Debug)]
pub struct FwCfg<'a> {
    ports: &'a Ports,
}

impl<'a> FwCfg<'a> {
    /// Finds the device.
    ///
    /// # Errors
    /// When its signature is not there, or the selector cannot be written.
    pub fn open(ports: &'a Ports) -> io::Result<FwCfg<'a>> {
        let fw_cfg = FwCfg { ports };
        let mut signature = [0; 4];
        fw_cfg.read_entry(SIGNATURE, &mut signature)?;
        if &signature == b"QEMU" {
            Ok(fw_cfg)
        } else {
            Err(io::Error::other("no fw_cfg device answers at port 0x510"))
        }
    }

    /// Looks for a file by name.
    ///
    /// The machine may be saved and restored between any two instructions of this, with another
    /// directory behind the same port, so an answer counts only once two readings agree.
    pub fn find(&self, name: &str) -> io::Result<Option<Entry>> {
        let first = self.search(name)?;
        if first.is_none() || first == self.search(name)? {
            Ok(first)
        } else {
            Ok(None)
        }
    }

    /// Reads a file whole.
    pub fn read(&self, entry: Entry) -> io::Result<Vec<u8>> {
        if entry.size > LARGEST {
            return Err(io::Error::other(format!(
                "the fw_cfg file has {} bytes (limit {LARGEST})",
                entry.size
            )));
        }
        let mut bytes = vec![0; entry.size as usize];
        self.read_entry(entry.select, &mut bytes)?;
        Ok(bytes)
    }

    fn read_entry(&self, select: u16, bytes: &mut [u8]) -> io::Result<()> {
        self.ports.write_word(SELECTOR, select)?;
        self.ports.read(DATA, bytes)
    }

    fn search(&self, name: &str) -> io::Result<Option<Entry>> {
        let mut count = [0; 4];
        self.read_entry(DIRECTORY, &mut count)?;
        let mut record = [0; RECORD];
        for _ in 0..u32::from_be_bytes(count).min(MOST_FILES) {
            self.ports.read(DATA, &mut record)?;
            if let Some(entry) = named(&record, name) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

/// The entry a record of the directory describes, if it is the one called `name`.
fn named(record: &[u8; RECORD], name: &str) -> Option<Entry> {
    let (head, field) = record.split_at(8);
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    (&field[..end] == name.as_bytes()).then(|| Entry {
        size: u32::from_be_bytes([head[0], head[1], head[2], head[3]]),
        select: u16::from_be_bytes([head[4], head[5]]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(size: u32, select: u16, name: &[u8]) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&size.to_be_bytes());
        record[4..6].copy_from_slice(&select.to_be_bytes());
        record[8..8 + name.len()].copy_from_slice(name);
        record
    }

    #[test]
    fn a_record_is_big_endian_and_named_exactly() {
        let r = record(0x0001_0203, 0x2a, b"opt/org.tunfarm/job");
        let entry = Entry {
            size: 0x0001_0203,
            select: 0x2a,
        };
        assert_eq!(named(&r, "opt/org.tunfarm/job"), Some(entry));
        assert_eq!(named(&r, "opt/org.tunfarm/jo"), None);
        assert_eq!(named(&r, "opt/org.tunfarm/job2"), None);
    }

    #[test]
    fn a_name_may_fill_its_field() {
        let full = [b'n'; 56];
        let r = record(1, 2, &full);
        assert!(named(&r, std::str::from_utf8(&full).unwrap()).is_some());
    }
}
