//! No script makes the reader use more than 100 MB.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use tunfarm_lang::symbols::Definitions;
use tunfarm_lang::{MAX_SCRIPT, parse_and_check, print};

const LIMIT: usize = 100_000_000;

/// The system's allocator, with a count of what is in use and its peak.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; the counters
// are atomic and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promises about `layout` hold here as well.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// `piece` over and over between `before` and `after`, as long as a script may be.
fn filled(before: &str, piece: &str, after: &str) -> String {
    let room = MAX_SCRIPT - before.len() - after.len();
    format!("{before}{}{after}", piece.repeat(room / piece.len()))
}

#[test]
fn the_worst_scripts_stay_within_the_limit() {
    let worst = [
        ("a long array", filled("+0 pipe([1", ",1", "]) = 0\n")),
        ("many alternatives", filled("+0 close(1", "|1", ") = 0\n")),
        ("many members", filled("+0 pipe([{a=1", ",a=1", "}]) = 0\n")),
        (
            "many iovecs",
            filled("+0 readv(3, [", "{1,1},", "1], 2) = 0\n"),
        ),
        (
            "many empty arrays",
            filled("+0 pipe([[]", ",[]", "]) = 0\n"),
        ),
        ("many events", filled("", "+0 a()=1\n", "")),
        ("many packets", filled("", "+0>- 1:1(0)\n", "")),
        (
            "many TCP options",
            filled("+0 < . 1:1(0) <nop", ",nop", ">\n"),
        ),
        (
            "many sack blocks",
            filled("+0 < . 1:1(0) <sack", " 1:2", ">\n"),
        ),
        ("many commands", filled("", "``", "")),
        ("many options", filled("", "--a\n", "")),
        ("many errors", filled("", "+x\n", "")),
        ("many unknown names", filled("", "+0 a(b)=c\n", "")),
        ("many small blocks", filled("", "+0 %{a}%\n", "")),
        (
            "many statements",
            filled("", &format!("+0 %{{{}}}%\n", "a;".repeat(30_000)), ""),
        ),
        (
            "many values in a block",
            filled("", &format!("+0 %{{[{}]}}%\n", "1,".repeat(30_000)), ""),
        ),
        (
            "many operators",
            filled("", &format!("+0 %{{a{}}}%\n", "+a".repeat(250)), ""),
        ),
        ("many signs", filled("+0 %{", "-", "1}%\n")),
        ("many brackets", filled("+0 pipe(", "[", ") = 0\n")),
        ("many brackets in a block", filled("+0 %{", "(", "}%\n")),
        ("one word", filled("+0 ", "a", "() = 0\n")),
        ("one string", filled("+0 open(\"", "\\x00", "\", 0) = 0\n")),
        ("one line of nothing", filled("", " ", "")),
        ("one comment", filled("/*", "*", "")),
        ("empty lines", filled("", "\n", "")),
        ("octets of no language", filled("", "\u{1}é", "")),
    ];
    for (what, text) in worst {
        let before = IN_USE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        match parse_and_check(&text, "worst.pkt", &Definitions::new()) {
            Ok(script) => drop(print(&script)),
            Err(errors) => drop(errors.to_string()),
        }
        let used = PEAK.load(Ordering::Relaxed) - before;
        assert!(used < LIMIT, "{what}: {used} octets");
    }
}
