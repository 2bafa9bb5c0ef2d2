//! How many deliveries may wait for endpoints that get none for now, or few: for each as its `held`
//! says, and for those of a tenant that get none together, so that no tenant fills what all share.
//!
//! Pure. Never ends a delivery.

use std::collections::BTreeMap;

use crate::delivery::Wait;
use crate::ids::Name;
use crate::tenant::Tenant;

/// Why a delivery ends for which there is no room.
const NO_ROOM: &str = "more deliveries wait for the endpoint than its `held` lets";
const NO_SHARE: &str =
    "more deliveries wait for the endpoints of its tenant than a tenant may have";

/// What part of a high-water mark may wait for the endpoints of one tenant, and for those of all
/// tenants: the rest is for what goes on, and for the operator's own.
const OF_TENANT: usize = 8;
const OF_TENANTS: usize = 2;

/// An endpoint whose deliveries may wait for long.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) endpoint: Name,
    /// Whose share they take: its tenant's, if it gets none for now. Those that go out, few at a
    /// time, are no others' loss.
    pub(super) tenant: Option<Tenant>,
    /// How many may wait, whosever it is.
    pub(super) held: u64,
    /// How many do, if that counts for a tenant.
    pub(super) waiting: usize,
}

/// How many deliveries to an endpoint stay.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) endpoint: Name,
    pub(super) keep: u64,
    /// Why the others end.
    pub(super) why: &'static str,
}

/// How many deliveries may wait for the endpoints of one tenant, below this mark.
pub(super) fn share(mark: usize) -> usize {
    (mark / OF_TENANT).max(1)
}

/// How many stay of each, below this mark. An endpoint keeps one in any case. Of a tenant, and of
/// all, those give way that have most.
pub(super) fn bounds(all: Vec<Held>, mark: usize) -> Vec<Bound> {
    let mut counts: BTreeMap<&Tenant, Vec<usize>> = BTreeMap::new();
    for held in &all {
        if let Some(tenant) = &held.tenant {
            counts.entry(tenant).or_default().push(held.stays());
        }
    }
    let sums = counts.values().map(|counts| counts.iter().sum()).collect();
    let each = level(sums, mark / OF_TENANTS).min(share(mark));
    let levels = counts.into_iter().map(|(tenant, counts)| (tenant.clone(), level(counts, each)));
    let levels: BTreeMap<Tenant, usize> = levels.collect();
    let bound = |held: Held| {
        let level = held.tenant.as_ref().and_then(|tenant| levels.get(tenant));
        let level = level.map_or(u64::MAX, |level| u64::try_from(*level).unwrap_or(u64::MAX));
        let (keep, why) = match level < held.held {
            true => (level.max(1), NO_SHARE),
            false => (held.held, NO_ROOM),
        };
        Bound { endpoint: held.endpoint, keep, why }
    };
    all.into_iter().map(bound).collect()
}

/// To how many each of these is to be cut, so that all together are no more than this.
fn level(mut counts: Vec<usize>, total: usize) -> usize {
    counts.sort_unstable();
    let (mut left, mut others) = (total, counts.len());
    for count in counts {
        if count > left / others {
            return left / others;
        }
        left -= count;
        others -= 1;
    }
    usize::MAX
}

impl Held {
    fn stays(&self) -> usize {
        self.waiting.min(usize::try_from(self.held).unwrap_or(usize::MAX))
    }
}

impl Bound {
    /// Of an endpoint that has it for itself alone.
    pub(super) fn of_endpoint((endpoint, wait): (Name, Wait)) -> Self {
        Self { endpoint, keep: wait.held, why: NO_ROOM }
    }

    /// How many stay by now: all where they need not wait for long, and the endpoint's own number
    /// where some go out again.
    pub(super) fn keeps(&self, now: Option<Wait>) -> u64 {
        match now {
            None => u64::MAX,
            Some(Wait { is_cut_off: true, .. }) => self.keep,
            Some(Wait { held, is_cut_off: false }) => self.keep.max(held),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(name: &str, tenant: Option<&str>, waiting: usize) -> Held {
        let (endpoint, tenant) = (name.parse().unwrap(), tenant.map(|it| it.parse().unwrap()));
        Held { endpoint, tenant, held: 100_000, waiting }
    }

    fn keeps(all: Vec<Held>) -> Vec<u64> {
        bounds(all, 2_000_000).into_iter().map(|bound| bound.keep).collect()
    }

    /// Take out the share of a tenant, and twenty paused endpoints of one are the whole mark.
    #[test]
    fn a_tenant_has_an_eighth_of_the_mark_for_all_its_endpoints_and_the_longest_give_way() {
        let twenty = (0..20).map(|it| held(&format!("e{it}"), Some("acme"), 100_000));
        assert_eq!(keeps(twenty.collect()), [12_500; 20]);
        let all = || {
            let of = |name, waiting| held(name, Some("acme"), waiting);
            vec![of("a", 100_000), of("b", 90_000), of("c", 80_000), of("d", 10)]
        };
        assert_eq!(keeps(all()), [84_995, 84_995, 84_995, 84_995]);
        let bound = bounds(all(), 2_000_000).remove(0);
        assert_eq!((bound.endpoint.as_str(), bound.why), ("a", NO_SHARE));
    }

    #[test]
    fn all_tenants_together_have_half_of_the_mark_and_the_operator_has_its_own() {
        let tenants = |count: usize| {
            let of = |it: usize| held(&format!("e{it}"), Some(&format!("t{}", it / 2)), 100_000);
            (0..2 * count).map(of).collect::<Vec<_>>()
        };
        assert_eq!(keeps(tenants(5)), [100_000; 10], "ten hundred thousand");
        assert_eq!(keeps(tenants(10)), [50_000; 20]);
        let mut all = tenants(10);
        all.push(held("crm", None, 900_000));
        let crm = bounds(all, 2_000_000).pop().unwrap();
        assert_eq!((crm.keep, crm.why), (100_000, NO_ROOM));
    }

    /// Take the last case out of [`Bound::keeps`], and what goes out again ends by the share of a
    /// tenant.
    #[test]
    fn an_endpoint_that_gets_few_again_keeps_what_it_may_have_by_itself() {
        let bound = Bound { endpoint: "crm".parse().unwrap(), keep: 3, why: NO_SHARE };
        let keeps = |is_cut_off| bound.keeps(Some(Wait { held: 10, is_cut_off }));
        assert_eq!((keeps(true), keeps(false), bound.keeps(None)), (3, 10, u64::MAX));
    }

    #[test]
    fn an_endpoint_keeps_one_however_low_the_mark_is() {
        let all = vec![held("a", Some("acme"), 3), held("b", Some("acme"), 3)];
        let keeps: Vec<u64> = bounds(all, 1).into_iter().map(|bound| bound.keep).collect();
        assert_eq!((keeps, share(1)), (vec![1, 1], 1));
        assert_eq!(level(vec![10, 1, 10], 11), 5);
        assert_eq!(level(Vec::new(), 0), usize::MAX);
    }
}
