//! How many parses and runs of one plugin are made at a time.

use super::*;
use crate::plugin::PluginRules;

impl Bench {
    /// Has the guest's parses and runs go by this rule from the next take on.
    fn allow(&self, concurrency: Option<usize>) {
        let sources = [(name("shop"), reading("guest"))].into();
        let rules = PluginRules { concurrency, ..PluginRules::default() };
        let plugins = Arc::new([(name("guest"), rules)].into());
        self.dispatch.rules.store(Arc::new(Rules { sources, plugins, ..Rules::default() }));
    }
}

/// Without `Rules::concurrency` in both takes there are as many as all may have.
#[tokio::test]
async fn a_plugin_has_no_more_parses_and_runs_at_a_time_than_its_concurrency() {
    let bench = Bench::new();
    for number in 0..6 {
        bench.accept(&json!({ "id": number.to_string() })).await;
    }
    bench.allow(Some(2));
    for _ in 0..3 {
        let taken = bench.parses().take(100).await.unwrap();
        assert_eq!(taken.len(), 2);
        assert!(bench.parses().take(100).await.unwrap().is_empty(), "two are at work");
        for parse in taken {
            bench.parses().perform(parse, Slot::default()).await.unwrap();
        }
    }

    let two = bench.runs().take(100).await.unwrap();
    assert_eq!(two.len(), 2);
    assert!(bench.runs().take(100).await.unwrap().is_empty(), "two are at work");
    bench.allow(Some(3));
    let third = bench.runs().take(100).await.unwrap();
    bench.allow(None);
    let others = bench.runs().take(100).await.unwrap();
    assert_eq!([two, third, others].map(|taken| taken.len()), [2, 1, 3]);
}
