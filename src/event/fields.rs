//! The vendor's fields, in the order in which the appliance sends them: the one list that the
//! Parquet columns, the typed SQL view, the simulator and the masking of `inspect` are made from.
//!
//! Trusted: nothing about an arriving event. Fields may be missing, repeated, unknown or in another
//! order; the list says what a field *means* when it is there. Values are text everywhere in this
//! program: a kind says how a reader may interpret one, it never converts anything here.

/// What the text of a field stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Free text.
    Text,
    /// An LDAP distinguished name.
    Dn,
    /// Digits or hex that are a name and not a number: leading zeros count.
    Digits,
    /// A time with its offset, `20140610055028-0700`.
    LocalTime,
    /// A time in UTC, `20140610125028Z`.
    UtcTime,
    /// A time in UTC, where [`NEVER`] says that there is none.
    DateOrNever,
    /// A whole number, padded with blanks in places.
    Number,
    /// `0` or `1`.
    Flag,
}

/// The value of a [`Kind::DateOrNever`] field that means "never".
pub const NEVER: &str = "19700101000000Z";

/// What every vendor field's name begins with, except `cn`.
pub const PREFIX: &str = "plasectrx";

/// One field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The element's name.
    pub name: &'static str,
    /// What its text stands for.
    pub kind: Kind,
    /// It tells who somebody is (names, cards, raw card data): masked wherever we show events.
    pub personal: bool,
}

impl Field {
    const fn open(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, personal: false }
    }

    const fn personal(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, personal: true }
    }
}

/// Every field of the vendor's, in the order sent.
pub const FIELDS: &[Field] = &[
    Field::open("plasectrxGatewayDN", Kind::Dn),
    Field::open("cn", Kind::Digits),
    Field::open("plasectrxRecdate", Kind::LocalTime),
    Field::open("plasectrxPaneldate", Kind::LocalTime),
    Field::open("plasectrxRecdateUTC", Kind::UtcTime),
    Field::open("plasectrxPaneldateUTC", Kind::UtcTime),
    Field::open("plasectrxLastacc", Kind::DateOrNever),
    Field::open("plasectrxEvtypename", Kind::Text),
    Field::open("plasectrxBackgroundColor", Kind::Text),
    Field::open("plasectrxForegroundColor", Kind::Text),
    Field::open("plasectrxAckBackgroundColor", Kind::Text),
    Field::open("plasectrxAckForegroundColor", Kind::Text),
    Field::open("plasectrxEventname", Kind::Text),
    Field::open("plasectrxPanelname", Kind::Text),
    Field::open("plasectrxSourcename", Kind::Text),
    Field::open("plasectrxSourcelocation", Kind::Text),
    Field::open("plasectrxSourcealtname", Kind::Text),
    Field::open("plasectrxPointaddress", Kind::Number),
    Field::open("plasectrxPointDN", Kind::Dn),
    Field::open("plasectrxEvtypeaddress", Kind::Number),
    Field::open("plasectrxSourceDN", Kind::Dn),
    Field::open("plasectrxSourcetype", Kind::Number),
    Field::personal("plasectrxOperatorname", Kind::Text),
    Field::open("plasectrxPri", Kind::Number),
    Field::personal("plasectrxMsg", Kind::Text),
    Field::personal("plasectrxIdentityDN", Kind::Dn),
    Field::personal("plasectrxCardno", Kind::Digits),
    Field::personal("plasectrxEmbossedno", Kind::Digits),
    Field::personal("plasectrxLname", Kind::Text),
    Field::personal("plasectrxFname", Kind::Text),
    Field::personal("plasectrxMi", Kind::Text),
    Field::open("plasectrxIssuelevel", Kind::Number),
    Field::open("plasectrxFacilityCode", Kind::Number),
    Field::open("plasectrxExpiredat", Kind::DateOrNever),
    Field::open("plasectrxActivdat", Kind::DateOrNever),
    Field::open("plasectrxIssuedat", Kind::DateOrNever),
    Field::open("plasectrxHasCamera", Kind::Flag),
    Field::open("plasectrxHasNotes", Kind::Flag),
    Field::open("plasectrxHasSoftTriggerSet", Kind::Flag),
    Field::open("plasectrxShowVideo", Kind::Flag),
    Field::open("plasectrxSeqno", Kind::Digits),
    Field::open("plasectrxIsAlarm", Kind::Flag),
];

/// The field of this name, if the vendor has one.
#[must_use]
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|f| f.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fields_differ_by_case_only() {
        // Parquet is loaded by column name, and that match does not see case.
        let mut names: Vec<_> = FIELDS.iter().map(|f| f.name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
    }

    #[test]
    fn every_field_but_cn_carries_the_vendors_prefix() {
        let others: Vec<_> = FIELDS.iter().filter(|f| !f.name.starts_with(PREFIX)).collect();
        assert_eq!(others.len(), 1);
        assert_eq!(others[0].name, "cn");
    }
}
