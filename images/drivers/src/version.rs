//! How near package versions are to each other.

use crate::archive::Package;

/// `packages`, those whose version is nearest to `wanted` first: by the numbers in it, from left
/// to right.
pub fn by_distance<'a>(
    wanted: &str,
    packages: impl Iterator<Item = &'a Package>,
) -> Vec<&'a Package> {
    let target = numbers(wanted);
    let mut list: Vec<_> = packages.collect();
    list.sort_by_key(|package| {
        let theirs = numbers(&package.version);
        let at = |list: &[u64], i: usize| list.get(i).copied().unwrap_or(0);
        (0..target.len().max(theirs.len()))
            .map(|i| at(&target, i).abs_diff(at(&theirs, i)))
            .collect::<Vec<_>>()
    });
    list
}

fn numbers(version: &str) -> Vec<u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_release_comes_first() {
        let package =
            |version| crate::archive::tests::package("linux-source-6.12", version, "trixie");
        let listed = ["6.12.94-1", "6.12.107-1", "6.12.115-1", "6.12.117-1"].map(package);
        let order = |wanted| by_distance(wanted, listed.iter())[0].version.clone();
        assert_eq!(order("6.12.116-1"), "6.12.115-1");
        assert_eq!(order("6.12.90-1"), "6.12.94-1");
        assert_eq!(order("6.12.115-2"), "6.12.115-1");
    }
}
