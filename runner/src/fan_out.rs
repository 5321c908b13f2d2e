//! What CI services fan out over: shards in each service's own words.

use serde_json::{Value, json};

use crate::shard::{Cut, Shard};

/// A CI service, or none in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A matrix for `strategy.matrix` through `fromJSON`, on one line.
    Github,
    /// A child pipeline (JSON is YAML) that includes `ci/gitlab/shards.gitlab-ci.yml`.
    Gitlab,
    /// Shards with what is predicted of them.
    Json,
}

/// What `service` fans out over.
pub fn fan_out(cut: &Cut, service: Service) -> String {
    let shards = || {
        let count = cut.parts().len();
        (1..=count).map(move |index| Shard::new(index, count).expect("1 to count"))
    };
    let value = match service {
        Service::Github => json!({
            "include": shards()
                .map(|s| json!({
                    "shard": s.to_string(),
                    "index": s.index(),
                    "count": s.count(),
                }))
                .collect::<Vec<Value>>(),
        }),
        Service::Gitlab => json!({
            "include": [{ "local": "ci/gitlab/shards.gitlab-ci.yml" }],
            "tunfarm-shard": {
                "extends": ".tunfarm-shard",
                "parallel": {
                    "matrix": [{
                        "SHARD": shards().map(|s| s.to_string()).collect::<Vec<String>>(),
                    }],
                },
            },
        }),
        Service::Json => json!({
            "cut": cut.digest(),
            "spread": cut.spread(),
            "shards": shards()
                .map(|s| {
                    let part = cut.part(s);
                    json!({
                        "shard": s.to_string(),
                        "cells": part.cells.len(),
                        "kernels": part.kernels,
                        "predicted_ms": part.predicted_ms,
                    })
                })
                .collect::<Vec<Value>>(),
        }),
    };
    // One line: a service's output variable is one.
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlannedCell;
    use crate::predict::Durations;
    use tunfarm_protocol::{Datapath, IpVersion};

    fn cut() -> Cut {
        let cell = |kernel: &str| PlannedCell {
            kernel: kernel.into(),
            driver: "stock".into(),
            scenario: "closing".into(),
            datapath: Datapath::Tun,
            ip: IpVersion::Ipv4,
        };
        Cut::new(&[cell("a"), cell("b")], 2, &Durations::default())
    }

    #[test]
    fn github_takes_a_list_of_jobs() {
        assert_eq!(
            fan_out(&cut(), Service::Github),
            r#"{"include":[{"count":2,"index":1,"shard":"1/2"},{"count":2,"index":2,"shard":"2/2"}]}"#
        );
    }

    #[test]
    fn gitlab_takes_a_pipeline() {
        let text = fan_out(&cut(), Service::Gitlab);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["tunfarm-shard"]["parallel"]["matrix"][0]["SHARD"],
            json!(["1/2", "2/2"])
        );
    }

    #[test]
    fn json_tells_what_is_predicted() {
        let value: Value = serde_json::from_str(&fan_out(&cut(), Service::Json)).unwrap();
        let cells: u64 = (0..2)
            .map(|i| value["shards"][i]["cells"].as_u64().unwrap())
            .sum();
        assert_eq!(cells, 2);
        assert_eq!(value["shards"][0]["predicted_ms"], 11_500);
    }
}
