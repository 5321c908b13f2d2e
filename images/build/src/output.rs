//! What a build said.

/// The end of an output that is kept, in bytes.
const KEPT: usize = 64 << 10;

/// The line that says why a build failed: the compiler's first error, else the linker's, else
/// make's.
pub(crate) fn first_error(output: &str) -> String {
    let signs = [
        ": error: ",
        "fatal error: ",
        "undefined reference",
        "ERROR: ",
        "*** ",
    ];
    signs
        .iter()
        .find_map(|sign| output.lines().find(|line| line.contains(sign)))
        .or_else(|| output.lines().rfind(|line| !line.trim().is_empty()))
        .unwrap_or("it said nothing")
        .trim()
        .to_owned()
}

/// The end of `output`, from the beginning of a line.
pub(crate) fn tail(output: &str) -> &str {
    let mut from = output.len().saturating_sub(KEPT);
    while !output.is_char_boundary(from) {
        from += 1;
    }
    match output[from..].split_once('\n') {
        Some((_, rest)) if from > 0 => rest,
        _ => &output[from..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_own_word_comes_before_makes() {
        let output = "  CC      drivers/net/tun.o\n\
            make[3]: *** [Makefile:1: all] Error 2\n\
            drivers/net/tun.c:12:3: error: expected ';' before 'x'\n";
        assert_eq!(
            first_error(output),
            "drivers/net/tun.c:12:3: error: expected ';' before 'x'"
        );
        let linker = "ld: a.o: undefined reference to `f'\nmake: *** [x] Error 1\n";
        assert_eq!(first_error(linker), "ld: a.o: undefined reference to `f'");
        assert_eq!(first_error("\nKilled\n\n"), "Killed");
        assert_eq!(first_error(""), "it said nothing");
    }

    #[test]
    fn the_tail_begins_with_a_line() {
        let long = "line\n".repeat(KEPT);
        let kept = tail(&long);
        assert!(kept.len() <= KEPT && kept.starts_with("line\n"));
        assert_eq!(tail("short"), "short");
    }
}
