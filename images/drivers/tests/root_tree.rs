//! Drivers for a kernel of which only a tree is at hand. Needs bwrap (as root or with user
//! namespaces), make and gcc; no network. The tree is a small one that makes modules of nothing
//! but their `.modinfo`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use tunfarm_drivers::archive::PackageSource;
use tunfarm_drivers::{DriverSpec, Drivers, Error, Origin, Result, TargetKernel};
use tunfarm_images::{Cache, Package};

const RELEASE: &str = "6.99.0-tree";

const MAKEFILE: &str = "\
modules:
\tgcc -c -Wall -I$(M) -o $(M)/tun.ko $(M)/tun.c
";

const TUN: &str = r#"
#include "tun_vnet.h"
__attribute__((section(".modinfo"), used)) static const char info[] =
	"name=tun\0" "vermagic=" RELEASE " SMP preempt\0";
extern int skb_orphan(void *skb);
int tun_net_xmit(void *skb)
{
	skb_orphan(skb);
	return 0;
}
"#;

/// A tree needs no archive.
struct NoPackages;

impl PackageSource for NoPackages {
    fn packages(&self, name: &str, _: &[String]) -> Result<Vec<Package>> {
        panic!("asked for {name}")
    }
    fn state(&self, _: &[String]) -> Result<String> {
        panic!("asked for indices")
    }
    fn open(&self, package: &Package) -> Result<Box<dyn Read>> {
        panic!("asked for {}", package.name)
    }
    fn forget(&self, _: &Package) {}
}

struct World {
    folder: tempfile::TempDir,
    kernel: TargetKernel,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("drivers/net")).unwrap();
        fs::write(tree.join("Makefile"), MAKEFILE).unwrap();
        fs::write(tree.join("drivers/net/tun.c"), TUN).unwrap();
        let header = format!("#define RELEASE \"{RELEASE}\"\n");
        fs::write(tree.join("drivers/net/tun_vnet.h"), header).unwrap();
        let kernel = TargetKernel {
            release: RELEASE.into(),
            origin: Origin::Tree { build_dir: tree },
        };
        World { folder, kernel }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tree(&self, name: &str) -> PathBuf {
        self.path("tree").join(name)
    }

    fn build(&self, spec: &DriverSpec) -> Result<tunfarm_drivers::DriverModule> {
        let cache = Cache::open(&self.path("cache")).unwrap();
        Drivers::new(&NoPackages, cache).build(spec, &self.kernel)
    }

    fn edit(&self) -> Result<tunfarm_drivers::DriverModule> {
        self.build(&DriverSpec::Edit("no-orphan".into()))
    }

    fn patch(&self, text: &str) -> DriverSpec {
        let path = self.path("x.patch");
        fs::write(&path, text).unwrap();
        DriverSpec::Patch(vec![path])
    }
}

fn calls(module: &[u8]) -> bool {
    module.windows(10).any(|w| w == b"skb_orphan")
}

#[test]
fn an_edit_is_built_kept_and_built_anew_when_the_tree_changes() {
    let world = World::new();
    let first = world.edit().unwrap();
    assert!(!first.cached);
    assert_eq!(first.files[0].0, "tun.ko");
    assert!(!calls(&first.files[0].1), "the call is gone");
    let second = world.edit().unwrap();
    assert!(second.cached);
    assert_eq!(second.sha256, first.sha256);
    fs::write(
        world.tree("drivers/net/tun.c"),
        TUN.replace("return 0", "return 1"),
    )
    .unwrap();
    let third = world.edit().unwrap();
    assert!(!third.cached);
    assert_ne!(third.sha256, first.sha256);
}

#[test]
fn a_damaged_copy_in_the_cache_is_built_anew() {
    let world = World::new();
    let first = world.edit().unwrap();
    let digest = first.sha256.unwrap().to_string();
    let blob = world.path("cache/blobs").join(&digest[..2]).join(&digest);
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, "something else").unwrap();
    let again = world.edit().unwrap();
    assert!(!again.cached);
    assert_eq!(again.files, first.files);
}

#[test]
fn a_users_own_source_is_built_and_its_first_error_told() {
    let world = World::new();
    let folder = world.path("mine");
    fs::create_dir(&folder).unwrap();
    fs::copy(
        world.tree("drivers/net/tun_vnet.h"),
        folder.join("tun_vnet.h"),
    )
    .unwrap();
    fs::write(folder.join("tun.c"), TUN).unwrap();
    let spec = DriverSpec::Source(folder.clone());
    let module = world.build(&spec).unwrap();
    assert_eq!(module.label, "source-mine");
    assert!(calls(&module.files[0].1));
    fs::write(
        folder.join("tun.c"),
        TUN.replace("orphan(skb);", "orphan(sbk);"),
    )
    .unwrap();
    let error = world.build(&spec).unwrap_err();
    let Error::DoesNotCompile { first, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((first.file.as_str(), first.line), ("drivers/net/tun.c", 8));
    assert!(first.message.contains("sbk"), "{error}");
}

#[test]
fn a_module_that_calls_itself_another_kernels_is_refused() {
    let world = World::new();
    let header = "#define RELEASE \"5.0.0-other\"\n";
    fs::write(world.tree("drivers/net/tun_vnet.h"), header).unwrap();
    let error = world.edit().unwrap_err();
    assert!(matches!(error, Error::WrongModule { .. }), "{error}");
    assert!(error.to_string().ends_with("it was built for 5.0.0-other"));
}

#[test]
fn a_header_that_a_patch_changes_is_the_one_that_is_compiled_with() {
    let world = World::new();
    fs::create_dir_all(world.tree("include/linux")).unwrap();
    fs::write(
        world.tree("include/linux/if_tun.h"),
        "#define WORD \"old\"\n",
    )
    .unwrap();
    let tree = world.tree("");
    let makefile = MAKEFILE.replace("-I$(M)", &format!("-I$(M) -I{}/include", tree.display()));
    fs::write(world.tree("Makefile"), makefile).unwrap();
    let spec = world.patch(
        "--- a/include/linux/if_tun.h\n+++ b/include/linux/if_tun.h\n@@ -1 +1 @@\n\
         -#define WORD \"old\"\n+#define WORD \"new\"\n\
         --- a/drivers/net/tun.c\n+++ b/drivers/net/tun.c\n@@ -1,3 +1,5 @@\n \n\
         \x20#include \"tun_vnet.h\"\n+#include <linux/if_tun.h>\n\
         +const char word[] = \"word=\" WORD;\n\
         \x20__attribute__((section(\".modinfo\"), used)) static const char info[] =\n",
    );
    let module = world.build(&spec).unwrap();
    let text = String::from_utf8_lossy(&module.files[0].1).into_owned();
    assert!(text.contains("word=new"));
    assert!(
        module.notes[0].contains("changes include/linux/if_tun.h"),
        "{:?}",
        module.notes
    );
    assert_eq!(
        fs::read_to_string(world.tree("include/linux/if_tun.h")).unwrap(),
        "#define WORD \"old\"\n",
        "the tree stays as it was"
    );
}

#[test]
fn a_build_reaches_neither_the_tree_nor_the_network() {
    let world = World::new();
    let makefile = format!(
        "modules:\n\
         \t! touch {tree}/x\n\
         \t! touch /usr/x\n\
         \ttest \"$$(cat /proc/net/dev | grep -c :)\" = 1\n\
         \tgcc -c -I$(M) -o $(M)/tun.ko $(M)/tun.c\n",
        tree = world.tree("").display()
    );
    fs::write(world.tree("Makefile"), makefile).unwrap();
    world.edit().unwrap();
    assert!(!world.tree("x").exists() && !Path::new("/usr/x").exists());
}

#[test]
fn headers_alone_have_no_driver() {
    let world = World::new();
    fs::remove_dir_all(world.tree("drivers")).unwrap();
    let error = world.edit().unwrap_err();
    assert!(matches!(error, Error::NoSource { .. }), "{error}");
}
