-- Loads the event objects of xml-stream-aggregator into Snowflake.
-- Objects: s3://acm-events/xml-events/*.parquet, compression none, in S3.
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
-- Compressed inside the file, which AUTO reads; ZSTD is not valid here.
CREATE FILE FORMAT IF NOT EXISTS PARQUET_EVENTS_FORMAT TYPE = PARQUET COMPRESSION = AUTO USE_VECTORIZED_SCANNER = TRUE;
ALTER FILE FORMAT PARQUET_EVENTS_FORMAT SET COMPRESSION = AUTO USE_VECTORIZED_SCANNER = TRUE;

-- ---- 4. The stage. Its URL ends in '/', or a neighbour whose name begins alike would load too.
CREATE STAGE IF NOT EXISTS PARQUET_EVENTS_STAGE URL = 's3://acm-events/xml-events/' STORAGE_INTEGRATION = XML_EVENTS_ACM_EVENTS_B66A1EB8;
ALTER STAGE PARQUET_EVENTS_STAGE SET URL = 's3://acm-events/xml-events/' STORAGE_INTEGRATION = XML_EVENTS_ACM_EVENTS_B66A1EB8;

-- ---- 5. The table. It remembers 64 days which objects it has loaded: never replace it.
CREATE TABLE IF NOT EXISTS PARQUET_EVENTS (
    plasectrxGatewayDN VARCHAR,
    cn VARCHAR,
    plasectrxRecdate VARCHAR,
    plasectrxPaneldate VARCHAR,
    plasectrxRecdateUTC VARCHAR,
    plasectrxPaneldateUTC VARCHAR,
    plasectrxLastacc VARCHAR,
    plasectrxEvtypename VARCHAR,
    plasectrxBackgroundColor VARCHAR,
    plasectrxForegroundColor VARCHAR,
    plasectrxAckBackgroundColor VARCHAR,
    plasectrxAckForegroundColor VARCHAR,
    plasectrxEventname VARCHAR,
    plasectrxPanelname VARCHAR,
    plasectrxSourcename VARCHAR,
    plasectrxSourcelocation VARCHAR,
    plasectrxSourcealtname VARCHAR,
    plasectrxPointaddress VARCHAR,
    plasectrxPointDN VARCHAR,
    plasectrxEvtypeaddress VARCHAR,
    plasectrxSourceDN VARCHAR,
    plasectrxSourcetype VARCHAR,
    plasectrxOperatorname VARCHAR,
    plasectrxPri VARCHAR,
    plasectrxMsg VARCHAR,
    plasectrxIdentityDN VARCHAR,
    plasectrxCardno VARCHAR,
    plasectrxEmbossedno VARCHAR,
    plasectrxLname VARCHAR,
    plasectrxFname VARCHAR,
    plasectrxMi VARCHAR,
    plasectrxIssuelevel VARCHAR,
    plasectrxFacilityCode VARCHAR,
    plasectrxExpiredat VARCHAR,
    plasectrxActivdat VARCHAR,
    plasectrxIssuedat VARCHAR,
    plasectrxHasCamera VARCHAR,
    plasectrxHasNotes VARCHAR,
    plasectrxHasSoftTriggerSet VARCHAR,
    plasectrxShowVideo VARCHAR,
    plasectrxSeqno VARCHAR,
    plasectrxIsAlarm VARCHAR,
    _extra VARCHAR,
    file_name VARCHAR,
    file_row NUMBER(38,0),
    file_modified TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_LTZ
) ENABLE_SCHEMA_EVOLUTION = TRUE;
ALTER TABLE PARQUET_EVENTS SET ENABLE_SCHEMA_EVOLUTION = TRUE;

-- ---- 6. Loading. Run this as often as you like, from a task for instance: an object is
-- loaded once. A bad one is skipped as a whole and shows in the last query below.
-- Never PURGE: the listener may still ask for an object that was stored a moment ago.
-- Either this or Snowpipe (--pipe), never both on one prefix: neither knows what the other loaded.
COPY INTO PARQUET_EVENTS
FROM @PARQUET_EVENTS_STAGE
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
INCLUDE_METADATA = (file_name = METADATA$FILENAME, file_row = METADATA$FILE_ROW_NUMBER, file_modified = METADATA$FILE_LAST_MODIFIED, loaded_at = METADATA$START_SCAN_TIME)
FILE_FORMAT = (FORMAT_NAME = 'PARQUET_EVENTS_FORMAT')
PATTERN = '.*[.]parquet'
ON_ERROR = SKIP_FILE;

-- ---- 7. The typed view. NULL: empty, absent, "never", or not readable as its type.
-- An event that came twice (same gateway, cn and content) shows once.
-- Fields the vendor adds become columns of the table; what fits no column is JSON in _extra.
CREATE OR REPLACE VIEW PARQUET_EVENTS_TYPED AS
WITH texts AS (
    SELECT
        NULLIF(plasectrxGatewayDN, '') AS gatewaydn,
        NULLIF(cn, '') AS cn,
        NULLIF(plasectrxRecdate, '') AS recdate,
        NULLIF(plasectrxPaneldate, '') AS paneldate,
        NULLIF(plasectrxRecdateUTC, '') AS recdateutc,
        NULLIF(plasectrxPaneldateUTC, '') AS paneldateutc,
        NULLIF(plasectrxLastacc, '') AS lastacc,
        NULLIF(plasectrxEvtypename, '') AS evtypename,
        NULLIF(plasectrxBackgroundColor, '') AS backgroundcolor,
        NULLIF(plasectrxForegroundColor, '') AS foregroundcolor,
        NULLIF(plasectrxAckBackgroundColor, '') AS ackbackgroundcolor,
        NULLIF(plasectrxAckForegroundColor, '') AS ackforegroundcolor,
        NULLIF(plasectrxEventname, '') AS eventname,
        NULLIF(plasectrxPanelname, '') AS panelname,
        NULLIF(plasectrxSourcename, '') AS sourcename,
        NULLIF(plasectrxSourcelocation, '') AS sourcelocation,
        NULLIF(plasectrxSourcealtname, '') AS sourcealtname,
        NULLIF(plasectrxPointaddress, '') AS pointaddress,
        NULLIF(plasectrxPointDN, '') AS pointdn,
        NULLIF(plasectrxEvtypeaddress, '') AS evtypeaddress,
        NULLIF(plasectrxSourceDN, '') AS sourcedn,
        NULLIF(plasectrxSourcetype, '') AS sourcetype,
        NULLIF(plasectrxOperatorname, '') AS operatorname,
        NULLIF(plasectrxPri, '') AS pri,
        NULLIF(plasectrxMsg, '') AS msg,
        NULLIF(plasectrxIdentityDN, '') AS identitydn,
        NULLIF(plasectrxCardno, '') AS cardno,
        NULLIF(plasectrxEmbossedno, '') AS embossedno,
        NULLIF(plasectrxLname, '') AS lname,
        NULLIF(plasectrxFname, '') AS fname,
        NULLIF(plasectrxMi, '') AS mi,
        NULLIF(plasectrxIssuelevel, '') AS issuelevel,
        NULLIF(plasectrxFacilityCode, '') AS facilitycode,
        NULLIF(plasectrxExpiredat, '') AS expiredat,
        NULLIF(plasectrxActivdat, '') AS activdat,
        NULLIF(plasectrxIssuedat, '') AS issuedat,
        NULLIF(plasectrxHasCamera, '') AS hascamera,
        NULLIF(plasectrxHasNotes, '') AS hasnotes,
        NULLIF(plasectrxHasSoftTriggerSet, '') AS hassofttriggerset,
        NULLIF(plasectrxShowVideo, '') AS showvideo,
        NULLIF(plasectrxSeqno, '') AS seqno,
        NULLIF(plasectrxIsAlarm, '') AS isalarm,
        HASH(* EXCLUDE (file_name, file_row, file_modified, loaded_at)) AS content,
        _extra, file_name, file_row, file_modified, loaded_at
    FROM PARQUET_EVENTS
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
    _extra, file_name, file_row, file_modified, loaded_at
FROM once;

-- ---- Queries. Each stands alone; the view's columns are the vendor's names without plasectrx.

-- Alarms in the last day, newest first.
SELECT paneldateutc, eventname, panelname, sourcename, sourcelocation, pri
FROM PARQUET_EVENTS_TYPED
WHERE isalarm AND paneldateutc >= DATEADD('hour', -24, CURRENT_TIMESTAMP())
ORDER BY paneldateutc DESC;

-- One person's doors in the last 30 days, by the number printed on the card.
-- It is text: leading zeros count. Or by person: WHERE identitydn = '…'.
SELECT NVL(sourcealtname, sourcename) AS door, sourcelocation, eventname,
    COUNT(*) AS events, MIN(paneldateutc) AS first_seen, MAX(paneldateutc) AS last_seen
FROM PARQUET_EVENTS_TYPED
WHERE embossedno = '00012345'
    AND paneldateutc >= DATEADD('day', -30, CURRENT_TIMESTAMP())
GROUP BY door, sourcelocation, eventname
ORDER BY last_seen DESC;

-- Panels gone silent: heard in the last 30 days, but not in the last 24 hours.
SELECT gatewaydn, panelname, MAX(paneldateutc) AS last_event,
    DATEDIFF('hour', MAX(paneldateutc), CURRENT_TIMESTAMP()) AS hours_silent
FROM PARQUET_EVENTS_TYPED
WHERE paneldateutc >= DATEADD('day', -30, CURRENT_TIMESTAMP())
GROUP BY gatewaydn, panelname
HAVING MAX(paneldateutc) < DATEADD('hour', -24, CURRENT_TIMESTAMP())
ORDER BY last_event;

-- Reconciliation 1: rows_loaded against the events that `xml-stream-aggregator ledger`
-- calls delivered. The difference is in the objects of the next query.
SELECT COUNT(*) AS rows_loaded, COUNT(DISTINCT file_name) AS objects_loaded,
    (SELECT COUNT(*) FROM PARQUET_EVENTS_TYPED) AS events_without_repeats, MAX(loaded_at) AS last_load
FROM PARQUET_EVENTS;

-- Reconciliation 2: objects in the store with no row in the table (run both together).
-- Empty: all are loaded. An object's name without its folders is unique in the prefix.
LIST @PARQUET_EVENTS_STAGE PATTERN = '.*[.]parquet';

SELECT l."name" AS object, l."size" AS bytes, l."last_modified" AS stored
FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) l
LEFT JOIN (SELECT DISTINCT REGEXP_SUBSTR(file_name, '[^/]+$') AS name FROM PARQUET_EVENTS) t ON t.name = REGEXP_SUBSTR(l."name", '[^/]+$')
WHERE t.name IS NULL
ORDER BY object;

-- Loads that went wrong in the last 14 days: empty is good.
SELECT file_name, last_load_time, status, row_count, error_count, first_error_message
FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(
    TABLE_NAME => 'PARQUET_EVENTS', START_TIME => DATEADD('day', -14, CURRENT_TIMESTAMP())
))
WHERE status <> 'Loaded'
ORDER BY last_load_time DESC;
