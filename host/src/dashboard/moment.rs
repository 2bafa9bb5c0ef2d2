//! Times as a browser writes them into a field, and as the API reads them.
//!
//! A browser writes no zone, and UTC is meant on all pages. What can't be a time is left to the API
//! to refuse.

/// A time as the API reads it. A browser writes `2026-11-28T17:42`.
pub(super) fn of_field(written: &str) -> String {
    match written.len() {
        _ if written.ends_with('Z') => written.to_owned(),
        16 => format!("{written}:00Z"),
        _ => format!("{written}Z"),
    }
}

/// The same as a browser takes it into a field.
pub(super) fn field_of(written: &str) -> String {
    written.trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the arms of [`of_field`]: a browser's field has neither seconds nor a zone.
    #[test]
    fn a_time_of_a_field_is_one_of_the_api() {
        assert_eq!(of_field("2026-11-28T17:42"), "2026-11-28T17:42:00Z");
        assert_eq!(of_field("2026-11-28T17:42:08"), "2026-11-28T17:42:08Z");
        assert_eq!(of_field("2026-11-28T17:42:08.214Z"), "2026-11-28T17:42:08.214Z");
        assert_eq!(field_of("2026-11-28T17:42:08Z"), "2026-11-28T17:42:08");
    }
}
