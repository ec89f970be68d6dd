-- Loads the event objects of xml-stream-aggregator into Snowflake.
-- Objects: s3://acm-events/xml-events/*.json, compression none, in S3.
-- Rejected pieces are under xml-events-quarantine/ and are never loaded.
-- May be run again: nothing that exists is replaced but the view.
-- TO DO FIRST: name the AWS role with --aws-role-arn, or write the account id for <AWS_ACCOUNT_ID>.
-- The guide is docs/snowflake.md. What only a real account can prove: docs/snowflake-smoke.sql.

-- ---- 1. Access to the store, without keys. It belongs to the account, not to a database, and
-- allows what is listed here and nothing else: use it for nothing else.
USE ROLE ACCOUNTADMIN;

CREATE STORAGE INTEGRATION IF NOT EXISTS XML_EVENTS_ACM_EVENTS_B66A1EB8
    TYPE = EXTERNAL_STAGE
    STORAGE_PROVIDER = 'S3'
    ENABLED = TRUE
    STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::<AWS_ACCOUNT_ID>:role/xml-stream-aggregator-snowflake'
    STORAGE_AWS_EXTERNAL_ID = 'xml-stream-aggregator-b66a1eb80acae063'
    STORAGE_ALLOWED_LOCATIONS = ('s3://acm-events/xml-events/');

ALTER STORAGE INTEGRATION XML_EVENTS_ACM_EVENTS_B66A1EB8 SET
    ENABLED = TRUE
    STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::<AWS_ACCOUNT_ID>:role/xml-stream-aggregator-snowflake'
    STORAGE_AWS_EXTERNAL_ID = 'xml-stream-aggregator-b66a1eb80acae063'
    STORAGE_ALLOWED_LOCATIONS = ('s3://acm-events/xml-events/');

GRANT USAGE ON INTEGRATION XML_EVENTS_ACM_EVENTS_B66A1EB8 TO ROLE SYSADMIN;

DESC INTEGRATION XML_EVENTS_ACM_EVENTS_B66A1EB8;

-- Now, once, in AWS (also printed by --aws-policy=permissions and --aws-policy=trust):
-- a) make the role arn:aws:iam::<AWS_ACCOUNT_ID>:role/xml-stream-aggregator-snowflake with this permission policy
-- (and kms:Decrypt on the key, where the bucket is encrypted with SSE-KMS):
-- {
--   "Version": "2012-10-17",
--   "Statement": [
--     {
--       "Effect": "Allow",
--       "Action": [
--         "s3:GetObject",
--         "s3:GetObjectVersion"
--       ],
--       "Resource": [
--         "arn:aws:s3:::acm-events/xml-events/*"
--       ]
--     },
--     {
--       "Effect": "Allow",
--       "Action": "s3:ListBucket",
--       "Resource": "arn:aws:s3:::acm-events",
--       "Condition": {
--         "StringLike": {
--           "s3:prefix": [
--             "xml-events/*"
--           ]
--         }
--       }
--     },
--     {
--       "Effect": "Allow",
--       "Action": "s3:GetBucketLocation",
--       "Resource": "arn:aws:s3:::acm-events"
--     }
--   ]
-- }
-- b) and this trust policy; the user is STORAGE_AWS_IAM_USER_ARN of the answer above:
-- {
--   "Version": "2012-10-17",
--   "Statement": [
--     {
--       "Effect": "Allow",
--       "Principal": {
--         "AWS": "<STORAGE_AWS_IAM_USER_ARN from DESC INTEGRATION>"
--       },
--       "Action": "sts:AssumeRole",
--       "Condition": {
--         "StringEquals": {
--           "sts:ExternalId": "xml-stream-aggregator-b66a1eb80acae063"
--         }
--       }
--     }
--   ]
-- }
-- Until that is done, the statements that read the store fail; then run the script again.

-- ---- 2. The place. Where both exist and the role may not make any, leave the two CREATE out.
USE ROLE SYSADMIN;
-- No --warehouse was given: the user's default warehouse does the work.
CREATE DATABASE IF NOT EXISTS XML_EVENTS;
USE DATABASE XML_EVENTS;
CREATE SCHEMA IF NOT EXISTS ACM;
USE SCHEMA ACM;

-- ---- 3. The file format.
-- STRIP_OUTER_ARRAY: a row per event, not one row per object.
CREATE FILE FORMAT IF NOT EXISTS JSON_EVENTS_FORMAT TYPE = JSON COMPRESSION = AUTO STRIP_OUTER_ARRAY = TRUE;
ALTER FILE FORMAT JSON_EVENTS_FORMAT SET COMPRESSION = AUTO STRIP_OUTER_ARRAY = TRUE;

-- ---- 4. The stage. Its URL ends in '/', or a neighbour whose name begins alike would load too.
CREATE STAGE IF NOT EXISTS JSON_EVENTS_STAGE URL = 's3://acm-events/xml-events/' STORAGE_INTEGRATION = XML_EVENTS_ACM_EVENTS_B66A1EB8;
ALTER STAGE JSON_EVENTS_STAGE SET URL = 's3://acm-events/xml-events/' STORAGE_INTEGRATION = XML_EVENTS_ACM_EVENTS_B66A1EB8;

-- ---- 5. The table. It remembers 64 days which objects it has loaded: never replace it.
CREATE TABLE IF NOT EXISTS JSON_EVENTS (
    event_data VARIANT,
    file_name VARCHAR,
    file_row NUMBER(38,0),
    file_modified TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_LTZ
);

-- ---- 6. Loading. Run this as often as you like, from a task for instance: an object is
-- loaded once. A bad one is skipped as a whole and shows in the last query below.
-- Never PURGE: the listener may still ask for an object that was stored a moment ago.
-- Either this or Snowpipe (--pipe), never both on one prefix: neither knows what the other loaded.
COPY INTO JSON_EVENTS (event_data, file_name, file_row, file_modified, loaded_at)
FROM (
    SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$FILE_LAST_MODIFIED, METADATA$START_SCAN_TIME
    FROM @JSON_EVENTS_STAGE
)
FILE_FORMAT = (FORMAT_NAME = 'JSON_EVENTS_FORMAT')
PATTERN = '.*[.]json([.](gz|zst))?'
ON_ERROR = SKIP_FILE;

-- ---- 7. The typed view. NULL: empty, absent, "never", or not readable as its type.
-- An event that came twice (same gateway, cn and content) shows once.
-- Every other field: event_data:name::STRING.
CREATE OR REPLACE VIEW JSON_EVENTS_TYPED AS
WITH texts AS (
    SELECT
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxGatewayDN), event_data:plasectrxGatewayDN[0]::STRING, event_data:plasectrxGatewayDN::STRING), '') AS gatewaydn,
        NULLIF(IFF(IS_ARRAY(event_data:cn), event_data:cn[0]::STRING, event_data:cn::STRING), '') AS cn,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxRecdate), event_data:plasectrxRecdate[0]::STRING, event_data:plasectrxRecdate::STRING), '') AS recdate,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxPaneldate), event_data:plasectrxPaneldate[0]::STRING, event_data:plasectrxPaneldate::STRING), '') AS paneldate,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxRecdateUTC), event_data:plasectrxRecdateUTC[0]::STRING, event_data:plasectrxRecdateUTC::STRING), '') AS recdateutc,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxPaneldateUTC), event_data:plasectrxPaneldateUTC[0]::STRING, event_data:plasectrxPaneldateUTC::STRING), '') AS paneldateutc,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxLastacc), event_data:plasectrxLastacc[0]::STRING, event_data:plasectrxLastacc::STRING), '') AS lastacc,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxEvtypename), event_data:plasectrxEvtypename[0]::STRING, event_data:plasectrxEvtypename::STRING), '') AS evtypename,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxBackgroundColor), event_data:plasectrxBackgroundColor[0]::STRING, event_data:plasectrxBackgroundColor::STRING), '') AS backgroundcolor,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxForegroundColor), event_data:plasectrxForegroundColor[0]::STRING, event_data:plasectrxForegroundColor::STRING), '') AS foregroundcolor,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxAckBackgroundColor), event_data:plasectrxAckBackgroundColor[0]::STRING, event_data:plasectrxAckBackgroundColor::STRING), '') AS ackbackgroundcolor,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxAckForegroundColor), event_data:plasectrxAckForegroundColor[0]::STRING, event_data:plasectrxAckForegroundColor::STRING), '') AS ackforegroundcolor,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxEventname), event_data:plasectrxEventname[0]::STRING, event_data:plasectrxEventname::STRING), '') AS eventname,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxPanelname), event_data:plasectrxPanelname[0]::STRING, event_data:plasectrxPanelname::STRING), '') AS panelname,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxSourcename), event_data:plasectrxSourcename[0]::STRING, event_data:plasectrxSourcename::STRING), '') AS sourcename,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxSourcelocation), event_data:plasectrxSourcelocation[0]::STRING, event_data:plasectrxSourcelocation::STRING), '') AS sourcelocation,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxSourcealtname), event_data:plasectrxSourcealtname[0]::STRING, event_data:plasectrxSourcealtname::STRING), '') AS sourcealtname,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxPointaddress), event_data:plasectrxPointaddress[0]::STRING, event_data:plasectrxPointaddress::STRING), '') AS pointaddress,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxPointDN), event_data:plasectrxPointDN[0]::STRING, event_data:plasectrxPointDN::STRING), '') AS pointdn,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxEvtypeaddress), event_data:plasectrxEvtypeaddress[0]::STRING, event_data:plasectrxEvtypeaddress::STRING), '') AS evtypeaddress,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxSourceDN), event_data:plasectrxSourceDN[0]::STRING, event_data:plasectrxSourceDN::STRING), '') AS sourcedn,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxSourcetype), event_data:plasectrxSourcetype[0]::STRING, event_data:plasectrxSourcetype::STRING), '') AS sourcetype,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxOperatorname), event_data:plasectrxOperatorname[0]::STRING, event_data:plasectrxOperatorname::STRING), '') AS operatorname,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxPri), event_data:plasectrxPri[0]::STRING, event_data:plasectrxPri::STRING), '') AS pri,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxMsg), event_data:plasectrxMsg[0]::STRING, event_data:plasectrxMsg::STRING), '') AS msg,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxIdentityDN), event_data:plasectrxIdentityDN[0]::STRING, event_data:plasectrxIdentityDN::STRING), '') AS identitydn,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxCardno), event_data:plasectrxCardno[0]::STRING, event_data:plasectrxCardno::STRING), '') AS cardno,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxEmbossedno), event_data:plasectrxEmbossedno[0]::STRING, event_data:plasectrxEmbossedno::STRING), '') AS embossedno,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxLname), event_data:plasectrxLname[0]::STRING, event_data:plasectrxLname::STRING), '') AS lname,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxFname), event_data:plasectrxFname[0]::STRING, event_data:plasectrxFname::STRING), '') AS fname,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxMi), event_data:plasectrxMi[0]::STRING, event_data:plasectrxMi::STRING), '') AS mi,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxIssuelevel), event_data:plasectrxIssuelevel[0]::STRING, event_data:plasectrxIssuelevel::STRING), '') AS issuelevel,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxFacilityCode), event_data:plasectrxFacilityCode[0]::STRING, event_data:plasectrxFacilityCode::STRING), '') AS facilitycode,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxExpiredat), event_data:plasectrxExpiredat[0]::STRING, event_data:plasectrxExpiredat::STRING), '') AS expiredat,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxActivdat), event_data:plasectrxActivdat[0]::STRING, event_data:plasectrxActivdat::STRING), '') AS activdat,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxIssuedat), event_data:plasectrxIssuedat[0]::STRING, event_data:plasectrxIssuedat::STRING), '') AS issuedat,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxHasCamera), event_data:plasectrxHasCamera[0]::STRING, event_data:plasectrxHasCamera::STRING), '') AS hascamera,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxHasNotes), event_data:plasectrxHasNotes[0]::STRING, event_data:plasectrxHasNotes::STRING), '') AS hasnotes,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxHasSoftTriggerSet), event_data:plasectrxHasSoftTriggerSet[0]::STRING, event_data:plasectrxHasSoftTriggerSet::STRING), '') AS hassofttriggerset,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxShowVideo), event_data:plasectrxShowVideo[0]::STRING, event_data:plasectrxShowVideo::STRING), '') AS showvideo,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxSeqno), event_data:plasectrxSeqno[0]::STRING, event_data:plasectrxSeqno::STRING), '') AS seqno,
        NULLIF(IFF(IS_ARRAY(event_data:plasectrxIsAlarm), event_data:plasectrxIsAlarm[0]::STRING, event_data:plasectrxIsAlarm::STRING), '') AS isalarm,
        HASH(event_data) AS content,
        event_data, file_name, file_row, file_modified, loaded_at
    FROM JSON_EVENTS
),
once AS (
    SELECT *
    FROM texts
    QUALIFY NVL(cn, '') = ''
        OR ROW_NUMBER() OVER (
            PARTITION BY gatewaydn, cn, content
            ORDER BY file_name, file_row
        ) = 1
)
SELECT
    gatewaydn AS gatewaydn,
    cn AS cn,
    TRY_TO_TIMESTAMP_TZ(REPLACE(recdate, 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS recdate,
    TRY_TO_TIMESTAMP_TZ(REPLACE(paneldate, 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS paneldate,
    TRY_TO_TIMESTAMP_TZ(REPLACE(recdateutc, 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS recdateutc,
    TRY_TO_TIMESTAMP_TZ(REPLACE(paneldateutc, 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS paneldateutc,
    TRY_TO_TIMESTAMP_TZ(REPLACE(NULLIF(lastacc, '19700101000000Z'), 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS lastacc,
    evtypename AS evtypename,
    backgroundcolor AS backgroundcolor,
    foregroundcolor AS foregroundcolor,
    ackbackgroundcolor AS ackbackgroundcolor,
    ackforegroundcolor AS ackforegroundcolor,
    eventname AS eventname,
    panelname AS panelname,
    sourcename AS sourcename,
    sourcelocation AS sourcelocation,
    sourcealtname AS sourcealtname,
    TRY_TO_NUMBER(pointaddress) AS pointaddress,
    pointdn AS pointdn,
    TRY_TO_NUMBER(evtypeaddress) AS evtypeaddress,
    sourcedn AS sourcedn,
    TRY_TO_NUMBER(sourcetype) AS sourcetype,
    operatorname AS operatorname,
    TRY_TO_NUMBER(pri) AS pri,
    msg AS msg,
    identitydn AS identitydn,
    cardno AS cardno,
    embossedno AS embossedno,
    lname AS lname,
    fname AS fname,
    mi AS mi,
    TRY_TO_NUMBER(issuelevel) AS issuelevel,
    TRY_TO_NUMBER(facilitycode) AS facilitycode,
    TRY_TO_TIMESTAMP_TZ(REPLACE(NULLIF(expiredat, '19700101000000Z'), 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS expiredat,
    TRY_TO_TIMESTAMP_TZ(REPLACE(NULLIF(activdat, '19700101000000Z'), 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS activdat,
    TRY_TO_TIMESTAMP_TZ(REPLACE(NULLIF(issuedat, '19700101000000Z'), 'Z', '+0000'), 'YYYYMMDDHH24MISSTZHTZM') AS issuedat,
    CASE hascamera WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS hascamera,
    CASE hasnotes WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS hasnotes,
    CASE hassofttriggerset WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS hassofttriggerset,
    CASE showvideo WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS showvideo,
    seqno AS seqno,
    CASE isalarm WHEN '1' THEN TRUE WHEN '0' THEN FALSE END AS isalarm,
    event_data, file_name, file_row, file_modified, loaded_at
FROM once;

-- ---- Queries. Each stands alone; the view's columns are the vendor's names without plasectrx.

-- Alarms in the last day, newest first.
SELECT paneldateutc, eventname, panelname, sourcename, sourcelocation, pri
FROM JSON_EVENTS_TYPED
WHERE isalarm AND paneldateutc >= DATEADD('hour', -24, CURRENT_TIMESTAMP())
ORDER BY paneldateutc DESC;

-- One person's doors in the last 30 days, by the number printed on the card.
-- It is text: leading zeros count. Or by person: WHERE identitydn = '…'.
SELECT NVL(sourcealtname, sourcename) AS door, sourcelocation, eventname,
    COUNT(*) AS events, MIN(paneldateutc) AS first_seen, MAX(paneldateutc) AS last_seen
FROM JSON_EVENTS_TYPED
WHERE embossedno = '00012345'
    AND paneldateutc >= DATEADD('day', -30, CURRENT_TIMESTAMP())
GROUP BY door, sourcelocation, eventname
ORDER BY last_seen DESC;

-- Panels gone silent: heard in the last 30 days, but not in the last 24 hours.
SELECT gatewaydn, panelname, MAX(paneldateutc) AS last_event,
    DATEDIFF('hour', MAX(paneldateutc), CURRENT_TIMESTAMP()) AS hours_silent
FROM JSON_EVENTS_TYPED
WHERE paneldateutc >= DATEADD('day', -30, CURRENT_TIMESTAMP())
GROUP BY gatewaydn, panelname
HAVING MAX(paneldateutc) < DATEADD('hour', -24, CURRENT_TIMESTAMP())
ORDER BY last_event;

-- Reconciliation 1: rows_loaded against the events that `xml-stream-aggregator ledger`
-- calls delivered. The difference is in the objects of the next query.
SELECT COUNT(*) AS rows_loaded, COUNT(DISTINCT file_name) AS objects_loaded,
    (SELECT COUNT(*) FROM JSON_EVENTS_TYPED) AS events_without_repeats, MAX(loaded_at) AS last_load
FROM JSON_EVENTS;

-- Reconciliation 2: objects in the store with no row in the table (run both together).
-- Empty: all are loaded. An object's name without its folders is unique in the prefix.
LIST @JSON_EVENTS_STAGE PATTERN = '.*[.]json([.](gz|zst))?';

SELECT l."name" AS object, l."size" AS bytes, l."last_modified" AS stored
FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) l
LEFT JOIN (SELECT DISTINCT REGEXP_SUBSTR(file_name, '[^/]+$') AS name FROM JSON_EVENTS) t ON t.name = REGEXP_SUBSTR(l."name", '[^/]+$')
WHERE t.name IS NULL
ORDER BY object;

-- Loads that went wrong in the last 14 days: empty is good.
SELECT file_name, last_load_time, status, row_count, error_count, first_error_message
FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(
    TABLE_NAME => 'JSON_EVENTS', START_TIME => DATEADD('day', -14, CURRENT_TIMESTAMP())
))
WHERE status <> 'Loaded'
ORDER BY last_load_time DESC;
