//! What a run is configured with: packetdrill's options and their defaults.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tunfarm_lang::ast::Script;
use tunfarm_lang::symbols::Definitions;
use tunfarm_protocol::{IpVersion, Job};

/// The port a script's listener is bound to, and the one its `connect()` goes to.
const SERVER_PORT: u16 = 8080;

/// How a run is configured: the job's options, then the script's own.
#[derive(Clone, Debug)]
pub struct Config {
    /// IPv4, IPv6, or IPv6 sockets with mapped addresses.
    pub ip: IpVersion,
    /// What the job asks for, before the script's own options.
    pub asked_ip: IpVersion,
    /// Address of the kernel under test.
    pub local: IpAddr,
    /// Length of its network's prefix.
    pub local_prefix: u8,
    /// Address of the peer that the script plays.
    pub remote: IpAddr,
    /// Length of the prefix that is routed to the device.
    pub remote_prefix: u8,
    /// Next hop on the device.
    pub gateway: IpAddr,
    /// MTU in bytes.
    pub mtu: u32,
    /// The port that `bind(…, ..., ...)` takes.
    pub bind_port: u16,
    /// The peer's port for `connect(…, ..., ...)` and `sendto()`.
    pub connect_port: u16,
    /// Segment size for injected super-segments; 0 leaves them whole.
    pub mss: u16,
    /// How far from its time an event may be, in microseconds.
    pub tolerance_us: i64,
    /// The same in percent of the time since the event before; the larger of both counts.
    pub tolerance_percent: f64,
    /// Length of a tick of the peer's TCP timestamps in microseconds; 0 does not check them.
    pub ts_tick_us: u32,
    /// TS ecr of injected packets is scaled to the live TS val.
    pub ts_ecr_scaled: bool,
    /// Segments must be cut exactly as the script has them.
    pub strict_segments: bool,
    /// Commands before the script's own (`--init_scripts`), one file each.
    pub init_scripts: Vec<String>,
    /// Names defined by `-D NAME=VALUE`.
    pub defines: Definitions,
}

impl Config {
    /// The defaults for an IP version: packetdrill's documented addresses, MTU and tolerance.
    pub fn new(ip: IpVersion) -> Config {
        let (local, local_prefix, gateway, remote, remote_prefix) = match ip {
            IpVersion::Ipv4 | IpVersion::Mapped => (
                IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1)),
                16,
                IpAddr::V4(Ipv4Addr::new(192, 168, 0, 2)),
                IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
                24,
            ),
            IpVersion::Ipv6 => (
                v6(0xfd3d, 0x0a0b, 0x17d6, 0, 1),
                48,
                v6(0xfd3d, 0x0a0b, 0x17d6, 0x8888, 1),
                v6(0xfd3d, 0xfa7b, 0xd17d, 0, 1),
                48,
            ),
        };
        Config {
            ip,
            asked_ip: ip,
            local,
            local_prefix,
            remote,
            remote_prefix,
            gateway,
            mtu: 1500,
            bind_port: SERVER_PORT,
            connect_port: SERVER_PORT,
            mss: 0,
            tolerance_us: 4_000,
            // The kernel's timer wheel may be late by so much of what it was asked for.
            tolerance_percent: 12.5,
            ts_tick_us: 0,
            ts_ecr_scaled: false,
            strict_segments: false,
            init_scripts: Vec::new(),
            defines: Definitions::new(),
        }
    }

    /// The configuration of a job and its script.
    ///
    /// # Errors
    /// One sentence that names the option.
    pub fn of(job: &Job, script: &Script) -> Result<Config, String> {
        let mut config = Config::new(job.ip);
        for (name, value) in &job.defines {
            config.defines.define(name, value);
        }
        let given: Vec<(String, Option<String>)> = job
            .options
            .iter()
            .map(|line| {
                let line = line.trim().trim_start_matches('-');
                match line.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (line.to_owned(), None),
                }
            })
            .collect();
        config.apply_all(given)?;
        config.asked_ip = config.ip;
        config.apply_all(script.options.iter().map(|line| {
            let value = line.value.as_ref().map(|v| v.node.to_string());
            (line.name.node.clone(), value)
        }))?;
        if config.local.is_ipv4() != config.remote.is_ipv4() {
            return Err(format!(
                "--local_ip {} and --remote_ip {} are of different IP versions",
                config.local, config.remote
            ));
        }
        Ok(config)
    }

    /// The first address of the remote prefix.
    pub fn remote_network(&self) -> IpAddr {
        network(self.remote, self.remote_prefix)
    }

    fn apply_all(
        &mut self,
        options: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<(), String> {
        for (name, value) in options {
            self.apply(&name, value.as_deref())
                .map_err(|why| format!("option --{name}: {why}"))?;
        }
        Ok(())
    }

    fn apply(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let text = || value.ok_or_else(|| "needs a value".to_owned());
        match name {
            "ip_version" => self.set_ip_version(text()?)?,
            "local_ip" => self.set_address(text()?, |c| (&mut c.local, &mut c.local_prefix))?,
            "remote_ip" => self.set_address(text()?, |c| (&mut c.remote, &mut c.remote_prefix))?,
            "gateway_ip" => self.gateway = self.address(text()?)?.0,
            "netmask_ip" => {
                let (mask, _) = self.address(text()?)?;
                self.local_prefix = match mask {
                    IpAddr::V4(mask) => u32::from(mask).leading_ones() as u8,
                    IpAddr::V6(mask) => u128::from(mask).leading_ones() as u8,
                };
            }
            "mtu" => self.mtu = number(text()?)?,
            "bind_port" => self.bind_port = number(text()?)?,
            "connect_port" => self.connect_port = number(text()?)?,
            "mss" => self.mss = number(text()?)?,
            "tolerance_usecs" => self.tolerance_us = number(text()?)?,
            "tolerance_percent" => {
                self.tolerance_percent = text()?
                    .parse()
                    .map_err(|_| format!("{} is not a percentage", text().unwrap_or_default()))?;
            }
            "tcp_ts_tick_usecs" => self.ts_tick_us = number(text()?)?,
            "tcp_ts_ecr_scaled" => self.ts_ecr_scaled = true,
            "strict_segments" => self.strict_segments = true,
            "init_scripts" => self
                .init_scripts
                .extend(text()?.split(',').map(str::to_owned)),
            "non_fatal" => return Err("a failure always ends the script here".into()),
            "define" | "D" => {
                let (key, value) = text()?
                    .split_once('=')
                    .ok_or_else(|| "needs NAME=VALUE".to_owned())?;
                self.defines.define(key, value);
            }
            // Output, how the original frees its buffers, what it leaves for the next script: nothing
            // of that is ours. PSP's port is only in packets that are refused by themselves.
            "verbose" | "dry_run" | "debug" | "send_omit_free" | "speed" | "code" | "quiet"
            | "no_cleanup" | "persistent_tun_dev" | "psp_udp_port" => {}
            _ if name.starts_with("wire_") => {
                return Err("the two-machine mode is not part of tunfarm".into());
            }
            _ => return Err("no such option".into()),
        }
        Ok(())
    }

    fn set_ip_version(&mut self, value: &str) -> Result<(), String> {
        let ip = match value {
            "ipv4" => IpVersion::Ipv4,
            "ipv6" => IpVersion::Ipv6,
            "ipv4-mapped-ipv6" => IpVersion::Mapped,
            other => return Err(format!("{other} is none of ipv4, ipv6, ipv4-mapped-ipv6")),
        };
        if ip != self.ip {
            let fresh = Config::new(ip);
            self.ip = ip;
            self.local = fresh.local;
            self.local_prefix = fresh.local_prefix;
            self.remote = fresh.remote;
            self.remote_prefix = fresh.remote_prefix;
            self.gateway = fresh.gateway;
        }
        Ok(())
    }

    fn address(&self, text: &str) -> Result<(IpAddr, Option<u8>), String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(number(prefix)?)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("{address} is not an IP address"))?;
        if address.is_ipv6() != (self.ip == IpVersion::Ipv6) {
            return Err(format!(
                "{address} is not of the IP version that the script runs on"
            ));
        }
        let most = if address.is_ipv6() { 128 } else { 32 };
        match prefix {
            Some(prefix) if prefix > most => Err(format!("a prefix of {prefix} bits is too long")),
            prefix => Ok((address, prefix)),
        }
    }

    fn set_address(
        &mut self,
        text: &str,
        field: impl FnOnce(&mut Config) -> (&mut IpAddr, &mut u8),
    ) -> Result<(), String> {
        let (address, prefix) = self.address(text)?;
        let (to, to_prefix) = field(self);
        *to = address;
        if let Some(prefix) = prefix {
            *to_prefix = prefix;
        }
        Ok(())
    }
}

fn number<T: TryFrom<i64>>(text: &str) -> Result<T, String> {
    text.trim()
        .parse::<i64>()
        .ok()
        .and_then(|n| T::try_from(n).ok())
        .ok_or_else(|| format!("{text} is not a number that fits"))
}

fn v6(a: u16, b: u16, c: u16, d: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, last))
}

fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((u32::from(a) & mask).into())
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((u128::from(a) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use tunfarm_protocol::Datapath;

    use super::*;

    fn config(options: &[&str], ip: IpVersion) -> Result<Config, String> {
        let mut job = Job::new("a.pkt", b"", Datapath::Tun, ip);
        job.options = options.iter().map(|o| (*o).to_owned()).collect();
        Config::of(&job, &Script::default())
    }

    #[test]
    fn every_option_that_a_check_lets_pass_is_known_here() {
        let passed = [
            "bind_port=80",
            "connect_port=81",
            "debug",
            "define=A=1",
            "dry_run",
            "gateway_ip=1.2.3.4",
            "init_scripts=a",
            "ip_version=ipv4",
            "local_ip=1.2.3.4",
            "mss=1000",
            "mtu=1500",
            "netmask_ip=255.255.0.0",
            "no_cleanup",
            "persistent_tun_dev",
            "psp_udp_port=1000",
            "remote_ip=1.2.3.4",
            "send_omit_free",
            "speed=1",
            "strict_segments",
            "tcp_ts_ecr_scaled",
            "tcp_ts_tick_usecs=1",
            "tolerance_percent=1",
            "tolerance_usecs=1",
            "verbose",
        ];
        let lines = passed.map(|option| format!("--{option}\n")).concat();
        let script = tunfarm_lang::parse(&lines, "a.pkt").unwrap();
        assert_eq!(tunfarm_lang::check(&script).to_string(), "");
        let options = passed.map(|option| format!("--{option}"));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let config = config(&options, IpVersion::Ipv4).unwrap();
        assert_eq!((config.bind_port, config.connect_port), (80, 81));
    }

    #[test]
    fn options_of_the_kernel_selftests_are_understood() {
        let config = config(
            &[
                "--ip_version=ipv6",
                "--mtu=1520",
                "--local_ip=fd3d:0a0b:17d6::1",
                "--gateway_ip=fd3d:0a0b:17d6:8888::1",
                "--remote_ip=fd3d:fa7b:d17d::1",
                "--tolerance_usecs=14000",
            ],
            IpVersion::Ipv4,
        )
        .unwrap();
        assert_eq!(config.mtu, 1520);
        assert_eq!(
            config.remote_network(),
            "fd3d:fa7b:d17d::".parse::<IpAddr>().unwrap()
        );
        assert_eq!(config.tolerance_us, 14_000);
    }

    #[test]
    fn a_netmask_is_a_prefix() {
        let config = config(&["--netmask_ip=255.255.255.0"], IpVersion::Ipv4).unwrap();
        assert_eq!(config.local_prefix, 24);
    }

    #[test]
    fn wrong_options_are_named() {
        let wrong = |option| config(&[option], IpVersion::Ipv4).unwrap_err();
        assert_eq!(wrong("--mtus=1"), "option --mtus: no such option");
        assert!(wrong("--mtu=abc").contains("abc is not a number"));
        assert!(wrong("--local_ip=::1").contains("not of the IP version"));
        assert!(wrong("--wire_client").contains("two-machine"));
    }
}
