//! The kernel's own scripts: each reads, is right, and prints back as itself.
//!
//! They are the conformance suite of the language, and GPL: fetched with apt
//! from where this machine gets its packages, used, and thrown away.

use std::path::{Path, PathBuf};
use std::process::Command;

use tunfarm_lang::symbols::{Definitions, IpVersion};
use tunfarm_lang::{check_with, parse, print};

/// Suites that hold the sources of old and new kernels.
const SUITES: [&str; 2] = ["trixie", "trixie-backports"];

/// apt with lists and caches of its own in `folder`.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(folder: &Path) -> Self {
        for part in ["lists/partial", "cache/archives/partial", "kernels"] {
            std::fs::create_dir_all(folder.join(part)).expect("apt's folders");
        }
        let mirror = debian_mirror();
        let lines: Vec<String> = SUITES
            .iter()
            .map(|suite| format!("deb {mirror} {suite} main\n"))
            .collect();
        std::fs::write(folder.join("sources.list"), lines.concat()).expect("apt's sources");
        let apt = Self {
            folder: folder.to_owned(),
        };
        apt.run("apt-get", &["-q", "update"]);
        apt
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let option =
            |name: &str, part: &str| format!("{name}={}", self.folder.join(part).display());
        let output = Command::new(program)
            .current_dir(&self.folder)
            .args(["-o", &option("Dir::Etc::sourcelist", "sources.list")])
            .args(["-o", "Dir::Etc::sourceparts=-"])
            .args(["-o", &option("Dir::State::lists", "lists")])
            .args(["-o", &option("Dir::Cache", "cache")])
            .args([
                "-o",
                "Acquire::Languages=none",
                "-o",
                "APT::Sandbox::User=root",
            ])
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("running {program}: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The packetdrill folder of the source of kernel `series`.
    fn scripts(&self, series: &str) -> PathBuf {
        let package = format!("linux-source-{series}");
        let newest = self.run("apt-cache", &["madison", &package]);
        let version = newest
            .lines()
            .next()
            .and_then(|line| line.split('|').nth(1));
        let version = version
            .unwrap_or_else(|| panic!("no {package} in {SUITES:?}"))
            .trim();
        self.run(
            "apt-get",
            &["-q", "download", &format!("{package}={version}")],
        );
        let folder = self.folder.join("kernels").join(series);
        std::fs::create_dir_all(&folder).expect("a folder for the scripts");
        // The package holds one compressed archive of 150 MB: stream it.
        let unpack = format!(
            "set -o pipefail; dpkg-deb --fsys-tarfile {package}_*.deb \
             | tar xO --wildcards './usr/src/linux-source-*.tar.xz' \
             | tar xJ -C {} --strip-components=6 --wildcards \
               'linux-source-*/tools/testing/selftests/net/packetdrill/*'; \
             status=$?; rm -f {package}_*.deb; exit $status",
            folder.display()
        );
        let output = Command::new("bash")
            .current_dir(&self.folder)
            .args(["-c", &unpack])
            .output();
        let output = output.expect("running bash");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        folder
    }
}

/// Where this machine gets Debian's packages from, by its apt.
fn debian_mirror() -> String {
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(LABEL)",
            "Created-By: Packages",
        ])
        .output()
        .expect("running apt-get");
    let text = String::from_utf8_lossy(&output.stdout);
    let uri = text.lines().find_map(|line| line.strip_suffix(" Debian"));
    uri.expect("a Debian mirror among apt's sources (is apt-get update done?)")
        .to_owned()
}

/// Reads every script in `folder`; how many there were.
fn read_all(folder: &Path) -> usize {
    let mut count = 0;
    let mut wrong = String::new();
    for entry in std::fs::read_dir(folder).expect("the scripts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "pkt") {
            continue;
        }
        count += 1;
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).expect("a script");
        let script = match parse(&text, &name) {
            Ok(script) => script,
            Err(errors) => {
                wrong += &errors.to_string();
                continue;
            }
        };
        for ip_version in IpVersion::ALL {
            let errors = check_with(&script, &Definitions::of_selftests(ip_version));
            wrong += &errors.to_string();
        }
        let printed = print(&script);
        match parse(&printed, &name) {
            Ok(again) if again == script => {}
            Ok(_) => wrong += &format!("{name} prints as another script:\n{printed}"),
            Err(errors) => wrong += &format!("{name} prints as\n{printed}\n{errors}"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    count
}

#[test]
fn the_kernels_own_scripts_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let apt = Apt::new(folder.path());
    for (series, least) in [("6.12", 24), ("7.3", 165)] {
        let count = read_all(&apt.scripts(series));
        println!("{count} scripts of {series}");
        assert!(
            count >= least,
            "{count} scripts of {series}, {least} or more expected"
        );
    }
}
