//! A parser of KTAP version 1 that is as strict as the kernel's documentation, for tests.

/// One result with its subtests.
#[derive(Debug)]
pub struct Test {
    pub name: String,
    pub ok: bool,
    /// `SKIP`, `TODO`, `XFAIL`, `TIMEOUT` or `ERROR`.
    pub directive: Option<String>,
    pub children: Vec<Test>,
}

/// Parses a whole document.
pub fn parse(text: &str) -> Result<Vec<Test>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    let tests = plan(&lines, &mut at, 0)?;
    match lines.get(at) {
        None => Ok(tests),
        Some(line) => Err(format!("line {}: nothing may follow: {line}", at + 1)),
    }
}

fn plan(lines: &[&str], at: &mut usize, depth: usize) -> Result<Vec<Test>, String> {
    let indent = "  ".repeat(depth);
    let mut next = || {
        let line = lines
            .get(*at)
            .and_then(|line| line.strip_prefix(indent.as_str()));
        *at += 1;
        line.ok_or_else(|| format!("line {at}: expected a line indented by {}", indent.len()))
    };
    if next()? != "KTAP version 1" {
        return Err(format!("line {at}: expected a version line"));
    }
    let planned: usize = next()?
        .strip_prefix("1..")
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| format!("line {at}: expected a plan"))?;
    let mut tests = Vec::new();
    let mut children = Vec::new();
    while tests.len() < planned {
        let line = *lines.get(*at).ok_or("ends before its plan is fulfilled")?;
        let rest = line
            .strip_prefix(indent.as_str())
            .ok_or_else(|| format!("line {}: wrong indent", *at + 1))?;
        if rest.starts_with("  KTAP version") {
            children = plan(lines, at, depth + 1)?;
        } else if rest == "#" || rest.starts_with("# ") {
            *at += 1;
        } else {
            let test = result(rest, tests.len() + 1, std::mem::take(&mut children))
                .map_err(|e| format!("line {}: {e}: {line}", *at + 1))?;
            tests.push(test);
            *at += 1;
        }
    }
    Ok(tests)
}

fn result(line: &str, number: usize, children: Vec<Test>) -> Result<Test, String> {
    let (ok, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err("expected a result".into()),
    };
    let rest = rest
        .strip_prefix(&format!("{number} "))
        .ok_or_else(|| format!("expected number {number}"))?;
    let (name, directive) = match rest.split_once(" # ") {
        Some((name, directive)) => (name, Some(directive)),
        None => (rest, None),
    };
    if name.contains('#') || name.is_empty() {
        return Err("a bad description".into());
    }
    let directive = directive
        .map(|d| {
            let word = d.split(' ').next().unwrap_or_default();
            if ["SKIP", "TODO", "XFAIL", "TIMEOUT", "ERROR"].contains(&word) {
                Ok(word.to_owned())
            } else {
                Err(format!("unknown directive {word}"))
            }
        })
        .transpose()?;
    Ok(Test {
        name: name.to_owned(),
        ok,
        directive,
        children,
    })
}
