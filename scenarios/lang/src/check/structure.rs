//! The structures that calls take, by their members.

use super::{Checker, expr};
use crate::ast::{Expr, Field, Span, Spanned};
use crate::diagnostic::Diagnostic;

/// A structure.
struct Shape {
    /// Its name in C, for messages.
    name: &'static str,
    /// Members that must be there.
    required: &'static [&'static str],
    /// Members that may be.
    optional: &'static [&'static str],
}

/// Every structure of the language. The first member decides which one is meant.
const SHAPES: &[Shape] = &[
    Shape {
        name: "sockaddr_in",
        required: &["sa_family", "sin_port", "sin_addr"],
        optional: &[],
    },
    Shape {
        name: "sockaddr_in6",
        required: &["sa_family", "sin6_port", "sin6_addr"],
        optional: &["sin6_flowinfo", "sin6_scope_id"],
    },
    Shape {
        name: "msghdr",
        required: &["msg_name", "msg_iov"],
        optional: &["msg_flags", "msg_control"],
    },
    Shape {
        name: "cmsghdr",
        required: &["cmsg_level", "cmsg_type", "cmsg_data"],
        optional: &["cmsg_len"],
    },
    Shape {
        name: "sock_extended_err",
        required: &[
            "ee_errno",
            "ee_origin",
            "ee_type",
            "ee_code",
            "ee_info",
            "ee_data",
        ],
        optional: &[],
    },
    Shape {
        name: "iovec",
        required: &["iov_base", "iov_len"],
        optional: &[],
    },
    Shape {
        name: "scm_timestamping",
        required: &["scm_sec", "scm_nsec"],
        optional: &[],
    },
    Shape {
        name: "pollfd",
        required: &["fd", "events"],
        optional: &["revents"],
    },
    Shape {
        name: "epoll_event",
        required: &["events"],
        optional: &["fd", "ptr", "u32", "u64"],
    },
    Shape {
        name: "linger",
        required: &["onoff", "linger"],
        optional: &[],
    },
    Shape {
        name: "timeval",
        required: &["tv_sec", "tv_usec"],
        optional: &[],
    },
];

impl Shape {
    fn members(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
}

/// Checks a structure and all in it.
pub(super) fn check(checker: &mut Checker<'_>, fields: &[Field], span: Span) {
    for field in fields {
        if let Some(count) = &field.count {
            expr::check(checker, count);
        }
        expr::check(checker, &field.value);
    }
    let names: Vec<&Spanned<String>> = fields
        .iter()
        .filter_map(|field| field.name.as_ref())
        .collect();
    if names.is_empty() {
        positional(checker, fields, span);
        return;
    }
    if names.len() != fields.len() {
        checker.report(
            Diagnostic::new(span, "some members have names and some have none")
                .label("expected `name=value` for each"),
        );
        return;
    }
    let Some(shape) = shape_of(&names) else {
        let Some(first) = names.first() else { return };
        let known = SHAPES.iter().flat_map(Shape::members);
        checker.report(
            Diagnostic::new(
                first.span,
                format!("no structure has a member `{}`", first.node),
            )
            .label("expected a member such as `events` or `msg_iov(1)`")
            .suggest(&first.node, known),
        );
        return;
    };
    for (index, name) in names.iter().enumerate() {
        if !shape.members().any(|member| member == name.node) {
            let members: Vec<&str> = shape.members().collect();
            checker.report(
                Diagnostic::new(
                    name.span,
                    format!("{} has no member `{}`", shape.name, name.node),
                )
                .label(format!("expected one of {}", members.join(", ")))
                .suggest(&name.node, members.iter().copied()),
            );
        } else if names
            .iter()
            .take(index)
            .any(|before| before.node == name.node)
        {
            checker.report(
                Diagnostic::new(name.span, format!("`{}` given twice", name.node))
                    .label("expected once"),
            );
        }
    }
    for member in shape.required {
        // A misspelt member was reported as such: do not miss it as well.
        let unknown = names
            .iter()
            .any(|name| !shape.members().any(|known| known == name.node));
        if !unknown && !names.iter().any(|name| name.node == *member) {
            checker.report(
                Diagnostic::new(span, format!("{} without `{member}`", shape.name))
                    .label(format!("expected {}", shape.required.join(", "))),
            );
        }
    }
    if shape.name == "msghdr" {
        message_header(checker, fields);
    }
}

/// The structure that has most of the members.
fn shape_of(names: &[&Spanned<String>]) -> Option<&'static Shape> {
    let known = |shape: &Shape| {
        names
            .iter()
            .filter(|name| shape.members().any(|member| member == name.node))
            .count()
    };
    // Of equals the first: `max_by_key` would take the last.
    let best = SHAPES.iter().rev().max_by_key(|shape| known(shape))?;
    (known(best) > 0).then_some(best)
}

/// `{..., 1000}`: an iovec.
fn positional(checker: &mut Checker<'_>, fields: &[Field], span: Span) {
    if fields.len() != 2 {
        checker.report(
            Diagnostic::new(
                span,
                format!("a structure of {} members without names", fields.len()),
            )
            .label("expected `{buffer, length}` or `{name=value, …}`"),
        );
    }
}

/// `msg_iov(N)=[…]`: N is how many there are.
fn message_header(checker: &mut Checker<'_>, fields: &[Field]) {
    let iov = fields.iter().find(|field| {
        field
            .name
            .as_ref()
            .is_some_and(|name| name.node == "msg_iov")
    });
    let Some(field) = iov else { return };
    match (&field.count, &field.value.node) {
        (Some(count), Expr::Array(items)) => {
            let says = matches!(count.node, Expr::Int(int) if int.value == items.len() as i64);
            if !says && !matches!(count.node, Expr::Ellipsis) {
                checker.report(
                    Diagnostic::new(count.span, format!("msg_iov has {} buffers", items.len()))
                        .label(format!("expected {}", items.len())),
                );
            }
        }
        (None, _) => checker.report(
            Diagnostic::new(
                field.value.span,
                "msg_iov without the number of its buffers",
            )
            .label("expected `msg_iov(N)=[…]`"),
        ),
        (Some(_), Expr::Ellipsis) => {}
        (Some(_), _) => checker.report(
            Diagnostic::new(field.value.span, "msg_iov is an array")
                .label("expected `[{..., 1000}]`"),
        ),
    }
}
