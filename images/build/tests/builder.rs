//! The builder against a made-up tree: its Makefile does what kbuild would, in a few lines of
//! shell, and writes down what it was asked for.

use std::fs;
use std::path::{Path, PathBuf};

use tunfarm_build::{BuildError, Builder, Config};

const MAKEFILE: &str = r#"
allnoconfig:
	@echo $@ >> $(O)/log
	@grep -v CONFIG_DROPPED $(KCONFIG_ALLCONFIG) > $(O)/.config
bzImage:
	@echo $@ >> $(O)/log
	@! grep -q BROKEN drivers/net/tun.c || { echo "drivers/net/tun.c:1:1: error: BROKEN" >&2; false; }
	@mkdir -p $(O)/arch/x86/boot; echo kernel > $(O)/arch/x86/boot/bzImage
modules drivers/net/tun.ko:
	@echo $@ >> $(O)/log
	@mkdir -p $(O)/drivers/net; cp drivers/net/tun.c $(O)/drivers/net/tun.ko
"#;

struct Tree {
    _temp: tempfile::TempDir,
    source: PathBuf,
    build: PathBuf,
}

fn tree() -> Tree {
    let temp = tempfile::tempdir().unwrap();
    let (source, build) = (temp.path().join("linux"), temp.path().join("o"));
    for folder in ["arch/x86", "drivers/net"] {
        fs::create_dir_all(source.join(folder)).unwrap();
    }
    for (file, text) in [
        ("Kconfig", ""),
        ("arch/x86/Makefile", ""),
        ("drivers/net/tun.c", "driver"),
        ("Makefile", MAKEFILE),
    ] {
        fs::write(source.join(file), text).unwrap();
    }
    Tree {
        _temp: temp,
        source,
        build,
    }
}

fn builder(tree: &Tree, config: Config) -> Builder {
    Builder::new(&tree.source, &tree.build, config)
        .unwrap()
        .with_jobs(1)
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log"))
        .unwrap()
        .replace('\n', " ")
}

#[test]
fn the_module_alone_is_built_against_a_kernel_that_is_there() {
    let tree = tree();
    let builder = builder(&tree, Config::farm());
    assert!(!builder.has_kernel());
    let built = builder.build_module().unwrap();
    assert!(!built.module_only && builder.has_kernel());
    assert_eq!(log(&tree.build), "allnoconfig bzImage modules ");

    fs::write(tree.source.join("drivers/net/tun.c"), "another driver").unwrap();
    let built = builder.build_module().unwrap();
    assert!(built.module_only);
    assert_eq!(
        fs::read_to_string(built.tun.unwrap()).unwrap(),
        "another driver"
    );
    assert_eq!(
        log(&tree.build),
        "allnoconfig bzImage modules drivers/net/tun.ko "
    );
}

#[test]
fn another_configuration_is_another_kernel() {
    let tree = tree();
    builder(&tree, Config::farm()).build().unwrap();
    let bare = builder(&tree, Config::bare());
    assert!(!bare.has_kernel());
    let built = bare.build().unwrap();
    assert_eq!(built.tun, None);
    assert!(bare.has_kernel());
}

#[test]
fn what_does_not_build_says_its_first_error() {
    let tree = tree();
    fs::write(tree.source.join("drivers/net/tun.c"), "BROKEN").unwrap();
    let error = builder(&tree, Config::farm()).build().unwrap_err();
    assert!(
        matches!(error, BuildError::DoesNotBuild { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.ends_with("does not build: drivers/net/tun.c:1:1: error: BROKEN"),
        "{text}"
    );
}

#[test]
fn options_that_a_source_does_not_have_are_named() {
    let tree = tree();
    let config = Config::farm().with("CONFIG_DROPPED=y\n");
    let error = builder(&tree, config).build().unwrap_err();
    assert!(
        matches!(&error, BuildError::Options { options, .. } if options == &["CONFIG_DROPPED=y"])
    );
}
