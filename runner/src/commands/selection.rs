//! From what was typed to a matrix.

use anyhow::Result;
use tunfarm::matrix::Matrix;
use tunfarm_protocol::{Datapath, IpVersion};

use crate::cli::{IpWord, PathWord, Selection};

impl Selection {
    /// The matrix named, or the built-in one, with what else was typed in place of its own lists.
    pub fn matrix(&self) -> Result<Matrix> {
        let mut matrix = match &self.matrix {
            Some(path) => Matrix::load(path)?,
            None => Matrix::built_in()?,
        };
        if !self.kernels.is_empty() {
            matrix.kernels.clone_from(&self.kernels);
        }
        if !self.drivers.is_empty() {
            matrix.drivers.clone_from(&self.drivers);
        }
        if !self.scenarios.is_empty() {
            matrix.scenarios.clone_from(&self.scenarios);
        }
        if !self.datapaths.is_empty() {
            matrix.datapaths = self.datapaths.iter().map(|d| (*d).into()).collect();
        }
        if !self.ip.is_empty() {
            matrix.ip = self.ip.iter().map(|ip| (*ip).into()).collect();
        }
        Ok(matrix)
    }
}

impl From<PathWord> for Datapath {
    fn from(word: PathWord) -> Datapath {
        match word {
            PathWord::Tun => Datapath::Tun,
            PathWord::Loopback => Datapath::Loopback,
        }
    }
}

impl From<IpWord> for IpVersion {
    fn from(word: IpWord) -> IpVersion {
        match word {
            IpWord::V4 => IpVersion::Ipv4,
            IpWord::V6 => IpVersion::Ipv6,
            IpWord::Mapped => IpVersion::Mapped,
        }
    }
}
