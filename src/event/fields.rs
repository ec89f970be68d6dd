//! The vendor's fields, in the order in which an appliance sends them.
//!
//! One list for all who need it: the Parquet columns, the generated SQL, the simulator, `inspect`.
//! A field that is not here passes through untouched; nothing may depend on the list being complete.

/// Element names of an event's fields, in the order sent.
pub const VENDOR: [&str; 42] = [
    "plasectrxGatewayDN",
    "cn",
    "plasectrxRecdate",
    "plasectrxPaneldate",
    "plasectrxRecdateUTC",
    "plasectrxPaneldateUTC",
    "plasectrxLastacc",
    "plasectrxEvtypename",
    "plasectrxBackgroundColor",
    "plasectrxForegroundColor",
    "plasectrxAckBackgroundColor",
    "plasectrxAckForegroundColor",
    "plasectrxEventname",
    "plasectrxPanelname",
    "plasectrxSourcename",
    "plasectrxSourcelocation",
    "plasectrxSourcealtname",
    "plasectrxPointaddress",
    "plasectrxPointDN",
    "plasectrxEvtypeaddress",
    "plasectrxSourceDN",
    "plasectrxSourcetype",
    "plasectrxOperatorname",
    "plasectrxPri",
    "plasectrxMsg",
    "plasectrxIdentityDN",
    "plasectrxCardno",
    "plasectrxEmbossedno",
    "plasectrxLname",
    "plasectrxFname",
    "plasectrxMi",
    "plasectrxIssuelevel",
    "plasectrxFacilityCode",
    "plasectrxExpiredat",
    "plasectrxActivdat",
    "plasectrxIssuedat",
    "plasectrxHasCamera",
    "plasectrxHasNotes",
    "plasectrxHasSoftTriggerSet",
    "plasectrxShowVideo",
    "plasectrxSeqno",
    "plasectrxIsAlarm",
];

/// Fields that name a person or a card; whoever shows an event to a reader masks them.
pub const PERSONAL: [&str; 8] = [
    "plasectrxOperatorname",
    "plasectrxMsg",
    "plasectrxIdentityDN",
    "plasectrxCardno",
    "plasectrxEmbossedno",
    "plasectrxLname",
    "plasectrxFname",
    "plasectrxMi",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_fields_differ_only_by_case() {
        let folded: HashSet<_> = VENDOR.iter().map(|f| f.to_ascii_lowercase()).collect();
        assert_eq!(folded.len(), VENDOR.len());
    }

    #[test]
    fn every_personal_field_is_a_vendor_field() {
        for field in PERSONAL {
            assert!(VENDOR.contains(&field), "{field}");
        }
    }
}
