//! The known word nearest to a misspelt one.

/// Longest word worth comparing: longer ones are no misspelling of ours.
const MAX_LEN: usize = 40;

/// The word of `known` that `word` most likely meant: the same but for case,
/// or else a few edits away (a third of its length). `None` if none is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > MAX_LEN {
        return None;
    }
    let limit = (word.len() / 3).max(1);
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_LEN && *candidate != word)
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .filter_map(|candidate| {
            // Case counts as less than any edit.
            let edits = distance(&lower, &candidate.to_lowercase());
            (edits <= limit).then_some((edits, candidate))
        })
        .min_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.cmp(right)))
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap neighbours) from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let width = to.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for (row, &a) in from.iter().enumerate() {
        let mut line = vec![row + 1; width];
        for (column, &b) in to.iter().enumerate() {
            let replace = above[column] + usize::from(a != b);
            let mut best = replace.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped = row > 0 && column > 0 && a == to[column - 1] && from[row - 1] == b;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            line[column + 1] = best;
        }
        before = std::mem::replace(&mut above, line);
    }
    above[width - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_typing_slips_are_near() {
        let words = ["sackOK", "sack", "mss", "wscale", "nop"];
        assert_eq!(nearest("sackOk", words), Some("sackOK"));
        assert_eq!(nearest("wsacle", words), Some("wscale"));
        assert_eq!(nearest("mms", words), Some("mss"));
    }

    #[test]
    fn strangers_are_not() {
        assert_eq!(nearest("mpcapable", ["mss", "nop"]), None);
        assert_eq!(nearest("", ["mss"]), None);
        assert_eq!(nearest(&"x".repeat(1000), ["mss"]), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
