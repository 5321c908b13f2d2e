//! Kernel parameters under `/proc/sys`.

use std::fs;
use std::io;

/// Reads `net.ipv4.tcp_retries2`; slashes are taken as separators too (`net/ipv4/conf/lo/…`).
pub fn read_sysctl(name: &str) -> io::Result<String> {
    fs::read_to_string(path(name)).map(|text| text.trim_end().to_owned())
}

/// Writes one.
pub fn write_sysctl(name: &str, value: &str) -> io::Result<()> {
    fs::write(path(name), value)
}

fn path(name: &str) -> String {
    // As sysctl(8): with a slash in the name, dots belong to names of devices.
    let name = if name.contains('/') {
        name.to_owned()
    } else {
        name.replace('.', "/")
    };
    format!("/proc/sys/{name}")
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn both_separators_work() {
        assert_eq!(path("net.ipv4.tcp_sack"), "/proc/sys/net/ipv4/tcp_sack");
        assert_eq!(
            path("net/ipv4/conf/eth0.1/rp_filter"),
            "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"
        );
    }
}
