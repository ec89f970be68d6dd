-- Settles in five minutes, on a real Snowflake account, what cannot be proven without one.
--
-- Run all of it in a worksheet, in a database where you may create a schema, with a warehouse.
-- It makes the schema XML_STREAM_AGGREGATOR_SMOKE, writes the same event with every trap in it as XML, JSON,
-- NDJSON and Parquet to a temporary stage, loads each with the statements that
-- `xml-stream-aggregator snowflake` prints, and compares every field of the typed view.
--
-- The last answer is the verdict: a row per format and check, those that differ first.
-- If a row says DIFFERS, send us that row. Not settled here: access (the storage integration),
-- Snowpipe and its notification, and our own Parquet writer (Snowflake writes the file here).
--
-- Made by tests/python/snowflake_smoke.py; do not edit.

CREATE SCHEMA IF NOT EXISTS XML_STREAM_AGGREGATOR_SMOKE;
USE SCHEMA XML_STREAM_AGGREGATOR_SMOKE;
CREATE OR REPLACE TEMPORARY STAGE smoke;
CREATE OR REPLACE TEMPORARY TABLE verdicts (kind VARCHAR, field VARCHAR, expected VARCHAR, got VARCHAR);

-- xml: an empty table (a table remembers what it has loaded), the file, the printed statements.
DROP TABLE IF EXISTS smoke_xml;
COPY INTO @smoke/smoke.xml FROM (SELECT '<?xml version="1.0" encoding="UTF-8"?>\n<EVENTS>\n<EVENT>\n<plasectrxGatewayDN>cn=gw-1,ou=gateways,dc=plasec</plasectrxGatewayDN>\n<cn>00012E5</cn>\n<plasectrxRecdate>20140610055028-0700</plasectrxRecdate>\n<plasectrxPaneldate>20140610085028-0400</plasectrxPaneldate>\n<plasectrxRecdateUTC>20140610125028Z</plasectrxRecdateUTC>\n<plasectrxPaneldateUTC>20140610125028Z</plasectrxPaneldateUTC>\n<plasectrxLastacc>19700101000000Z</plasectrxLastacc>\n<plasectrxEvtypename>Intrusion</plasectrxEvtypename>\n<plasectrxBackgroundColor/>\n<plasectrxForegroundColor></plasectrxForegroundColor>\n<plasectrxAckBackgroundColor>   </plasectrxAckBackgroundColor>\n<plasectrxAckForegroundColor>#00FF00</plasectrxAckForegroundColor>\n<plasectrxEventname>Input point in alarm</plasectrxEventname>\n<plasectrxPanelname>R&amp;D &lt;North&gt; ''A'' &quot;1&quot;</plasectrxPanelname>\n<plasectrxSourcename><![CDATA[Door <3> & "Lobby"]]></plasectrxSourcename>\n<plasectrxSourcelocation>C:\\site\\north</plasectrxSourcelocation>\n<plasectrxSourcealtname>first</plasectrxSourcealtname>\n<plasectrxSourcealtname>second</plasectrxSourcealtname>\n<plasectrxPointaddress> 750</plasectrxPointaddress>\n<plasectrxPointDN>cn=p,ou=points</plasectrxPointDN>\n<plasectrxEvtypeaddress> 0007 </plasectrxEvtypeaddress>\n<plasectrxSourceDN>cn=s,ou=sources</plasectrxSourceDN>\n<plasectrxSourcetype>40</plasectrxSourcetype>\n<plasectrxOperatorname>null</plasectrxOperatorname>\n<plasectrxPri>not a number</plasectrxPri>\n<plasectrxMsg>1.50</plasectrxMsg>\n<plasectrxIdentityDN>cn=i,ou=identities</plasectrxIdentityDN>\n<plasectrxCardno> 00012</plasectrxCardno>\n<plasectrxEmbossedno>12E5</plasectrxEmbossedno>\n<plasectrxLname>O''Brien-Žižek</plasectrxLname>\n<plasectrxFname>王小明 😀</plasectrxFname>\n<plasectrxMi>true</plasectrxMi>\n<plasectrxIssuelevel> -1</plasectrxIssuelevel>\n<plasectrxFacilityCode>0</plasectrxFacilityCode>\n<plasectrxExpiredat>20380119031408Z</plasectrxExpiredat>\n<plasectrxActivdat>19700101000000Z</plasectrxActivdat>\n<plasectrxIssuedat>not a date</plasectrxIssuedat>\n<plasectrxHasCamera>0</plasectrxHasCamera>\n<plasectrxHasNotes>1</plasectrxHasNotes>\n<plasectrxHasSoftTriggerSet></plasectrxHasSoftTriggerSet>\n<plasectrxShowVideo>2</plasectrxShowVideo>\n<plasectrxSeqno>0</plasectrxSeqno>\n<plasectrxIsAlarm> 1 </plasectrxIsAlarm>\n<siteNumber> 007 </siteNumber>\n<siteNested level="1"><door>01</door><floor>1e3</floor></siteNested>\n</EVENT>\n</EVENTS>')
FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE FIELD_DELIMITER = NONE RECORD_DELIMITER = '\n'
    ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE FIELD_OPTIONALLY_ENCLOSED_BY = NONE NULL_IF = ())
SINGLE = TRUE OVERWRITE = TRUE;
CREATE FILE FORMAT IF NOT EXISTS smoke_xml_FORMAT TYPE = XML COMPRESSION = AUTO STRIP_OUTER_ELEMENT = TRUE DISABLE_AUTO_CONVERT = TRUE PRESERVE_SPACE = FALSE;
CREATE TABLE IF NOT EXISTS smoke_xml (
    event_data VARIANT,
    file_name VARCHAR,
    file_row NUMBER(38,0),
    file_modified TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_LTZ
);
COPY INTO smoke_xml (event_data, file_name, file_row, file_modified, loaded_at)
FROM (
    SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$FILE_LAST_MODIFIED, METADATA$START_SCAN_TIME
    FROM @smoke
)
FILE_FORMAT = (FORMAT_NAME = 'smoke_xml_FORMAT')
PATTERN = '.*smoke[.]xml([.](gz|zst))?'
ON_ERROR = ABORT_STATEMENT;
CREATE OR REPLACE VIEW smoke_xml_TYPED AS
WITH texts AS (
    SELECT
        NULLIF(XMLGET(event_data, 'plasectrxGatewayDN'):"$"::STRING, '') AS gatewaydn,
        NULLIF(XMLGET(event_data, 'cn'):"$"::STRING, '') AS cn,
        NULLIF(XMLGET(event_data, 'plasectrxRecdate'):"$"::STRING, '') AS recdate,
        NULLIF(XMLGET(event_data, 'plasectrxPaneldate'):"$"::STRING, '') AS paneldate,
        NULLIF(XMLGET(event_data, 'plasectrxRecdateUTC'):"$"::STRING, '') AS recdateutc,
        NULLIF(XMLGET(event_data, 'plasectrxPaneldateUTC'):"$"::STRING, '') AS paneldateutc,
        NULLIF(XMLGET(event_data, 'plasectrxLastacc'):"$"::STRING, '') AS lastacc,
        NULLIF(XMLGET(event_data, 'plasectrxEvtypename'):"$"::STRING, '') AS evtypename,
        NULLIF(XMLGET(event_data, 'plasectrxBackgroundColor'):"$"::STRING, '') AS backgroundcolor,
        NULLIF(XMLGET(event_data, 'plasectrxForegroundColor'):"$"::STRING, '') AS foregroundcolor,
        NULLIF(XMLGET(event_data, 'plasectrxAckBackgroundColor'):"$"::STRING, '') AS ackbackgroundcolor,
        NULLIF(XMLGET(event_data, 'plasectrxAckForegroundColor'):"$"::STRING, '') AS ackforegroundcolor,
        NULLIF(XMLGET(event_data, 'plasectrxEventname'):"$"::STRING, '') AS eventname,
        NULLIF(XMLGET(event_data, 'plasectrxPanelname'):"$"::STRING, '') AS panelname,
        NULLIF(XMLGET(event_data, 'plasectrxSourcename'):"$"::STRING, '') AS sourcename,
        NULLIF(XMLGET(event_data, 'plasectrxSourcelocation'):"$"::STRING, '') AS sourcelocation,
        NULLIF(XMLGET(event_data, 'plasectrxSourcealtname'):"$"::STRING, '') AS sourcealtname,
        NULLIF(XMLGET(event_data, 'plasectrxPointaddress'):"$"::STRING, '') AS pointaddress,
        NULLIF(XMLGET(event_data, 'plasectrxPointDN'):"$"::STRING, '') AS pointdn,
        NULLIF(XMLGET(event_data, 'plasectrxEvtypeaddress'):"$"::STRING, '') AS evtypeaddress,
        NULLIF(XMLGET(event_data, 'plasectrxSourceDN'):"$"::STRING, '') AS sourcedn,
        NULLIF(XMLGET(event_data, 'plasectrxSourcetype'):"$"::STRING, '') AS sourcetype,
        NULLIF(XMLGET(event_data, 'plasectrxOperatorname'):"$"::STRING, '') AS operatorname,
        NULLIF(XMLGET(event_data, 'plasectrxPri'):"$"::STRING, '') AS pri,
        NULLIF(XMLGET(event_data, 'plasectrxMsg'):"$"::STRING, '') AS msg,
        NULLIF(XMLGET(event_data, 'plasectrxIdentityDN'):"$"::STRING, '') AS identitydn,
        NULLIF(XMLGET(event_data, 'plasectrxCardno'):"$"::STRING, '') AS cardno,
        NULLIF(XMLGET(event_data, 'plasectrxEmbossedno'):"$"::STRING, '') AS embossedno,
        NULLIF(XMLGET(event_data, 'plasectrxLname'):"$"::STRING, '') AS lname,
        NULLIF(XMLGET(event_data, 'plasectrxFname'):"$"::STRING, '') AS fname,
        NULLIF(XMLGET(event_data, 'plasectrxMi'):"$"::STRING, '') AS mi,
        NULLIF(XMLGET(event_data, 'plasectrxIssuelevel'):"$"::STRING, '') AS issuelevel,
        NULLIF(XMLGET(event_data, 'plasectrxFacilityCode'):"$"::STRING, '') AS facilitycode,
        NULLIF(XMLGET(event_data, 'plasectrxExpiredat'):"$"::STRING, '') AS expiredat,
        NULLIF(XMLGET(event_data, 'plasectrxActivdat'):"$"::STRING, '') AS activdat,
        NULLIF(XMLGET(event_data, 'plasectrxIssuedat'):"$"::STRING, '') AS issuedat,
        NULLIF(XMLGET(event_data, 'plasectrxHasCamera'):"$"::STRING, '') AS hascamera,
        NULLIF(XMLGET(event_data, 'plasectrxHasNotes'):"$"::STRING, '') AS hasnotes,
        NULLIF(XMLGET(event_data, 'plasectrxHasSoftTriggerSet'):"$"::STRING, '') AS hassofttriggerset,
        NULLIF(XMLGET(event_data, 'plasectrxShowVideo'):"$"::STRING, '') AS showvideo,
        NULLIF(XMLGET(event_data, 'plasectrxSeqno'):"$"::STRING, '') AS seqno,
        NULLIF(XMLGET(event_data, 'plasectrxIsAlarm'):"$"::STRING, '') AS isalarm,
        HASH(event_data) AS content,
        event_data, file_name, file_row, file_modified, loaded_at
    FROM smoke_xml
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
INSERT INTO verdicts
    SELECT 'xml', 'number of rows', '1', TO_VARCHAR(COUNT(*)) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'gatewaydn', 'cn=gw-1,ou=gateways,dc=plasec', TO_VARCHAR(gatewaydn) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'cn', '00012E5', TO_VARCHAR(cn) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'recdate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'paneldate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'recdateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'paneldateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'lastacc', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', lastacc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'evtypename', 'Intrusion', TO_VARCHAR(evtypename) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'backgroundcolor', NULL, TO_VARCHAR(backgroundcolor) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'foregroundcolor', NULL, TO_VARCHAR(foregroundcolor) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'ackbackgroundcolor', NULL, TO_VARCHAR(ackbackgroundcolor) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'ackforegroundcolor', '#00FF00', TO_VARCHAR(ackforegroundcolor) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'eventname', 'Input point in alarm', TO_VARCHAR(eventname) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'panelname', 'R&D <North> ''A'' "1"', TO_VARCHAR(panelname) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'sourcename', 'Door <3> & "Lobby"', TO_VARCHAR(sourcename) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'sourcelocation', 'C:\\site\\north', TO_VARCHAR(sourcelocation) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'sourcealtname', 'first', TO_VARCHAR(sourcealtname) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'pointaddress', '750', TO_VARCHAR(pointaddress) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'pointdn', 'cn=p,ou=points', TO_VARCHAR(pointdn) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'evtypeaddress', '7', TO_VARCHAR(evtypeaddress) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'sourcedn', 'cn=s,ou=sources', TO_VARCHAR(sourcedn) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'sourcetype', '40', TO_VARCHAR(sourcetype) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'operatorname', 'null', TO_VARCHAR(operatorname) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'pri', NULL, TO_VARCHAR(pri) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'msg', '1.50', TO_VARCHAR(msg) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'identitydn', 'cn=i,ou=identities', TO_VARCHAR(identitydn) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'cardno', '00012', TO_VARCHAR(cardno) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'embossedno', '12E5', TO_VARCHAR(embossedno) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'lname', 'O''Brien-Žižek', TO_VARCHAR(lname) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'fname', '王小明 😀', TO_VARCHAR(fname) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'mi', 'true', TO_VARCHAR(mi) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'issuelevel', '-1', TO_VARCHAR(issuelevel) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'facilitycode', '0', TO_VARCHAR(facilitycode) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'expiredat', '2038-01-19 03:14:08', TO_VARCHAR(CONVERT_TIMEZONE('UTC', expiredat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'activdat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', activdat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'issuedat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', issuedat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'hascamera', 'false', TO_VARCHAR(hascamera) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'hasnotes', 'true', TO_VARCHAR(hasnotes) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'hassofttriggerset', NULL, TO_VARCHAR(hassofttriggerset) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'showvideo', NULL, TO_VARCHAR(showvideo) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'seqno', '0', TO_VARCHAR(seqno) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'isalarm', 'true', TO_VARCHAR(isalarm) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'file_name ends in the file', 'true', TO_VARCHAR(ENDSWITH(file_name, 'smoke.xml')) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'file_row is a number', 'true', TO_VARCHAR(file_row >= 0) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'file_modified and loaded_at are set', 'true', TO_VARCHAR(file_modified IS NOT NULL AND loaded_at IS NOT NULL) FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'siteNumber keeps its zeros', '007', XMLGET(event_data, 'siteNumber'):"$"::STRING FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'siteNested/door', '01', XMLGET(XMLGET(event_data, 'siteNested'), 'door'):"$"::STRING FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'siteNested@level', '1', XMLGET(event_data, 'siteNested'):"@level"::STRING FROM smoke_xml_TYPED
    UNION ALL
    SELECT 'xml', 'event_data:name is a position', '12', event_data:plasectrxEventname::STRING FROM smoke_xml_TYPED;

-- json: an empty table (a table remembers what it has loaded), the file, the printed statements.
DROP TABLE IF EXISTS smoke_json;
COPY INTO @smoke/smoke.json FROM (SELECT '[{"plasectrxGatewayDN": "cn=gw-1,ou=gateways,dc=plasec", "cn": "00012E5", "plasectrxRecdate": "20140610055028-0700", "plasectrxPaneldate": "20140610085028-0400", "plasectrxRecdateUTC": "20140610125028Z", "plasectrxPaneldateUTC": "20140610125028Z", "plasectrxLastacc": "19700101000000Z", "plasectrxEvtypename": "Intrusion", "plasectrxBackgroundColor": "", "plasectrxForegroundColor": "", "plasectrxAckBackgroundColor": "", "plasectrxAckForegroundColor": "#00FF00", "plasectrxEventname": "Input point in alarm", "plasectrxPanelname": "R&D <North> ''A'' \\"1\\"", "plasectrxSourcename": "Door <3> & \\"Lobby\\"", "plasectrxSourcelocation": "C:\\\\site\\\\north", "plasectrxSourcealtname": ["first", "second"], "plasectrxPointaddress": "750", "plasectrxPointDN": "cn=p,ou=points", "plasectrxEvtypeaddress": "0007", "plasectrxSourceDN": "cn=s,ou=sources", "plasectrxSourcetype": "40", "plasectrxOperatorname": "null", "plasectrxPri": "not a number", "plasectrxMsg": "1.50", "plasectrxIdentityDN": "cn=i,ou=identities", "plasectrxCardno": "00012", "plasectrxEmbossedno": "12E5", "plasectrxLname": "O''Brien-Žižek", "plasectrxFname": "王小明 😀", "plasectrxMi": "true", "plasectrxIssuelevel": "-1", "plasectrxFacilityCode": "0", "plasectrxExpiredat": "20380119031408Z", "plasectrxActivdat": "19700101000000Z", "plasectrxIssuedat": "not a date", "plasectrxHasCamera": "0", "plasectrxHasNotes": "1", "plasectrxHasSoftTriggerSet": "", "plasectrxShowVideo": "2", "plasectrxSeqno": "0", "plasectrxIsAlarm": "1", "siteNumber": "007", "siteNested": {"@level": "1", "door": "01", "floor": "1e3"}}]')
FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE FIELD_DELIMITER = NONE RECORD_DELIMITER = '\n'
    ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE FIELD_OPTIONALLY_ENCLOSED_BY = NONE NULL_IF = ())
SINGLE = TRUE OVERWRITE = TRUE;
CREATE FILE FORMAT IF NOT EXISTS smoke_json_FORMAT TYPE = JSON COMPRESSION = AUTO STRIP_OUTER_ARRAY = TRUE;
CREATE TABLE IF NOT EXISTS smoke_json (
    event_data VARIANT,
    file_name VARCHAR,
    file_row NUMBER(38,0),
    file_modified TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_LTZ
);
COPY INTO smoke_json (event_data, file_name, file_row, file_modified, loaded_at)
FROM (
    SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$FILE_LAST_MODIFIED, METADATA$START_SCAN_TIME
    FROM @smoke
)
FILE_FORMAT = (FORMAT_NAME = 'smoke_json_FORMAT')
PATTERN = '.*smoke[.]json([.](gz|zst))?'
ON_ERROR = ABORT_STATEMENT;
CREATE OR REPLACE VIEW smoke_json_TYPED AS
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
    FROM smoke_json
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
INSERT INTO verdicts
    SELECT 'json', 'number of rows', '1', TO_VARCHAR(COUNT(*)) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'gatewaydn', 'cn=gw-1,ou=gateways,dc=plasec', TO_VARCHAR(gatewaydn) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'cn', '00012E5', TO_VARCHAR(cn) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'recdate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'paneldate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'recdateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'paneldateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'lastacc', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', lastacc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'evtypename', 'Intrusion', TO_VARCHAR(evtypename) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'backgroundcolor', NULL, TO_VARCHAR(backgroundcolor) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'foregroundcolor', NULL, TO_VARCHAR(foregroundcolor) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'ackbackgroundcolor', NULL, TO_VARCHAR(ackbackgroundcolor) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'ackforegroundcolor', '#00FF00', TO_VARCHAR(ackforegroundcolor) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'eventname', 'Input point in alarm', TO_VARCHAR(eventname) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'panelname', 'R&D <North> ''A'' "1"', TO_VARCHAR(panelname) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'sourcename', 'Door <3> & "Lobby"', TO_VARCHAR(sourcename) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'sourcelocation', 'C:\\site\\north', TO_VARCHAR(sourcelocation) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'sourcealtname', 'first', TO_VARCHAR(sourcealtname) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'pointaddress', '750', TO_VARCHAR(pointaddress) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'pointdn', 'cn=p,ou=points', TO_VARCHAR(pointdn) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'evtypeaddress', '7', TO_VARCHAR(evtypeaddress) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'sourcedn', 'cn=s,ou=sources', TO_VARCHAR(sourcedn) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'sourcetype', '40', TO_VARCHAR(sourcetype) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'operatorname', 'null', TO_VARCHAR(operatorname) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'pri', NULL, TO_VARCHAR(pri) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'msg', '1.50', TO_VARCHAR(msg) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'identitydn', 'cn=i,ou=identities', TO_VARCHAR(identitydn) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'cardno', '00012', TO_VARCHAR(cardno) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'embossedno', '12E5', TO_VARCHAR(embossedno) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'lname', 'O''Brien-Žižek', TO_VARCHAR(lname) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'fname', '王小明 😀', TO_VARCHAR(fname) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'mi', 'true', TO_VARCHAR(mi) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'issuelevel', '-1', TO_VARCHAR(issuelevel) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'facilitycode', '0', TO_VARCHAR(facilitycode) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'expiredat', '2038-01-19 03:14:08', TO_VARCHAR(CONVERT_TIMEZONE('UTC', expiredat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'activdat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', activdat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'issuedat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', issuedat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'hascamera', 'false', TO_VARCHAR(hascamera) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'hasnotes', 'true', TO_VARCHAR(hasnotes) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'hassofttriggerset', NULL, TO_VARCHAR(hassofttriggerset) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'showvideo', NULL, TO_VARCHAR(showvideo) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'seqno', '0', TO_VARCHAR(seqno) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'isalarm', 'true', TO_VARCHAR(isalarm) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'file_name ends in the file', 'true', TO_VARCHAR(ENDSWITH(file_name, 'smoke.json')) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'file_row is a number', 'true', TO_VARCHAR(file_row >= 0) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'file_modified and loaded_at are set', 'true', TO_VARCHAR(file_modified IS NOT NULL AND loaded_at IS NOT NULL) FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'siteNumber keeps its zeros', '007', event_data:siteNumber::STRING FROM smoke_json_TYPED
    UNION ALL
    SELECT 'json', 'siteNested/door', '01', event_data:siteNested.door::STRING FROM smoke_json_TYPED;

-- ndjson: an empty table (a table remembers what it has loaded), the file, the printed statements.
DROP TABLE IF EXISTS smoke_ndjson;
COPY INTO @smoke/smoke.ndjson FROM (SELECT '{"plasectrxGatewayDN": "cn=gw-1,ou=gateways,dc=plasec", "cn": "00012E5", "plasectrxRecdate": "20140610055028-0700", "plasectrxPaneldate": "20140610085028-0400", "plasectrxRecdateUTC": "20140610125028Z", "plasectrxPaneldateUTC": "20140610125028Z", "plasectrxLastacc": "19700101000000Z", "plasectrxEvtypename": "Intrusion", "plasectrxBackgroundColor": "", "plasectrxForegroundColor": "", "plasectrxAckBackgroundColor": "", "plasectrxAckForegroundColor": "#00FF00", "plasectrxEventname": "Input point in alarm", "plasectrxPanelname": "R&D <North> ''A'' \\"1\\"", "plasectrxSourcename": "Door <3> & \\"Lobby\\"", "plasectrxSourcelocation": "C:\\\\site\\\\north", "plasectrxSourcealtname": ["first", "second"], "plasectrxPointaddress": "750", "plasectrxPointDN": "cn=p,ou=points", "plasectrxEvtypeaddress": "0007", "plasectrxSourceDN": "cn=s,ou=sources", "plasectrxSourcetype": "40", "plasectrxOperatorname": "null", "plasectrxPri": "not a number", "plasectrxMsg": "1.50", "plasectrxIdentityDN": "cn=i,ou=identities", "plasectrxCardno": "00012", "plasectrxEmbossedno": "12E5", "plasectrxLname": "O''Brien-Žižek", "plasectrxFname": "王小明 😀", "plasectrxMi": "true", "plasectrxIssuelevel": "-1", "plasectrxFacilityCode": "0", "plasectrxExpiredat": "20380119031408Z", "plasectrxActivdat": "19700101000000Z", "plasectrxIssuedat": "not a date", "plasectrxHasCamera": "0", "plasectrxHasNotes": "1", "plasectrxHasSoftTriggerSet": "", "plasectrxShowVideo": "2", "plasectrxSeqno": "0", "plasectrxIsAlarm": "1", "siteNumber": "007", "siteNested": {"@level": "1", "door": "01", "floor": "1e3"}}')
FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE FIELD_DELIMITER = NONE RECORD_DELIMITER = '\n'
    ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE FIELD_OPTIONALLY_ENCLOSED_BY = NONE NULL_IF = ())
SINGLE = TRUE OVERWRITE = TRUE;
CREATE FILE FORMAT IF NOT EXISTS smoke_ndjson_FORMAT TYPE = JSON COMPRESSION = AUTO STRIP_OUTER_ARRAY = FALSE;
CREATE TABLE IF NOT EXISTS smoke_ndjson (
    event_data VARIANT,
    file_name VARCHAR,
    file_row NUMBER(38,0),
    file_modified TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_LTZ
);
COPY INTO smoke_ndjson (event_data, file_name, file_row, file_modified, loaded_at)
FROM (
    SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$FILE_LAST_MODIFIED, METADATA$START_SCAN_TIME
    FROM @smoke
)
FILE_FORMAT = (FORMAT_NAME = 'smoke_ndjson_FORMAT')
PATTERN = '.*smoke[.]ndjson([.](gz|zst))?'
ON_ERROR = ABORT_STATEMENT;
CREATE OR REPLACE VIEW smoke_ndjson_TYPED AS
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
    FROM smoke_ndjson
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
INSERT INTO verdicts
    SELECT 'ndjson', 'number of rows', '1', TO_VARCHAR(COUNT(*)) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'gatewaydn', 'cn=gw-1,ou=gateways,dc=plasec', TO_VARCHAR(gatewaydn) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'cn', '00012E5', TO_VARCHAR(cn) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'recdate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'paneldate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'recdateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'paneldateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'lastacc', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', lastacc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'evtypename', 'Intrusion', TO_VARCHAR(evtypename) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'backgroundcolor', NULL, TO_VARCHAR(backgroundcolor) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'foregroundcolor', NULL, TO_VARCHAR(foregroundcolor) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'ackbackgroundcolor', NULL, TO_VARCHAR(ackbackgroundcolor) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'ackforegroundcolor', '#00FF00', TO_VARCHAR(ackforegroundcolor) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'eventname', 'Input point in alarm', TO_VARCHAR(eventname) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'panelname', 'R&D <North> ''A'' "1"', TO_VARCHAR(panelname) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'sourcename', 'Door <3> & "Lobby"', TO_VARCHAR(sourcename) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'sourcelocation', 'C:\\site\\north', TO_VARCHAR(sourcelocation) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'sourcealtname', 'first', TO_VARCHAR(sourcealtname) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'pointaddress', '750', TO_VARCHAR(pointaddress) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'pointdn', 'cn=p,ou=points', TO_VARCHAR(pointdn) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'evtypeaddress', '7', TO_VARCHAR(evtypeaddress) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'sourcedn', 'cn=s,ou=sources', TO_VARCHAR(sourcedn) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'sourcetype', '40', TO_VARCHAR(sourcetype) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'operatorname', 'null', TO_VARCHAR(operatorname) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'pri', NULL, TO_VARCHAR(pri) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'msg', '1.50', TO_VARCHAR(msg) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'identitydn', 'cn=i,ou=identities', TO_VARCHAR(identitydn) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'cardno', '00012', TO_VARCHAR(cardno) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'embossedno', '12E5', TO_VARCHAR(embossedno) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'lname', 'O''Brien-Žižek', TO_VARCHAR(lname) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'fname', '王小明 😀', TO_VARCHAR(fname) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'mi', 'true', TO_VARCHAR(mi) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'issuelevel', '-1', TO_VARCHAR(issuelevel) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'facilitycode', '0', TO_VARCHAR(facilitycode) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'expiredat', '2038-01-19 03:14:08', TO_VARCHAR(CONVERT_TIMEZONE('UTC', expiredat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'activdat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', activdat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'issuedat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', issuedat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'hascamera', 'false', TO_VARCHAR(hascamera) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'hasnotes', 'true', TO_VARCHAR(hasnotes) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'hassofttriggerset', NULL, TO_VARCHAR(hassofttriggerset) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'showvideo', NULL, TO_VARCHAR(showvideo) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'seqno', '0', TO_VARCHAR(seqno) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'isalarm', 'true', TO_VARCHAR(isalarm) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'file_name ends in the file', 'true', TO_VARCHAR(ENDSWITH(file_name, 'smoke.ndjson')) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'file_row is a number', 'true', TO_VARCHAR(file_row >= 0) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'file_modified and loaded_at are set', 'true', TO_VARCHAR(file_modified IS NOT NULL AND loaded_at IS NOT NULL) FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'siteNumber keeps its zeros', '007', event_data:siteNumber::STRING FROM smoke_ndjson_TYPED
    UNION ALL
    SELECT 'ndjson', 'siteNested/door', '01', event_data:siteNested.door::STRING FROM smoke_ndjson_TYPED;

-- parquet: an empty table (a table remembers what it has loaded), the file, the printed statements.
DROP TABLE IF EXISTS smoke_parquet;
COPY INTO @smoke/smoke.parquet FROM (SELECT
    'cn=gw-1,ou=gateways,dc=plasec' AS "plasectrxGatewayDN",
    '00012E5' AS "cn",
    '20140610055028-0700' AS "plasectrxRecdate",
    '20140610085028-0400' AS "plasectrxPaneldate",
    '20140610125028Z' AS "plasectrxRecdateUTC",
    '20140610125028Z' AS "plasectrxPaneldateUTC",
    '19700101000000Z' AS "plasectrxLastacc",
    'Intrusion' AS "plasectrxEvtypename",
    NULL::VARCHAR AS "plasectrxBackgroundColor",
    NULL::VARCHAR AS "plasectrxForegroundColor",
    NULL::VARCHAR AS "plasectrxAckBackgroundColor",
    '#00FF00' AS "plasectrxAckForegroundColor",
    'Input point in alarm' AS "plasectrxEventname",
    'R&D <North> ''A'' "1"' AS "plasectrxPanelname",
    'Door <3> & "Lobby"' AS "plasectrxSourcename",
    'C:\\site\\north' AS "plasectrxSourcelocation",
    'first' AS "plasectrxSourcealtname",
    '750' AS "plasectrxPointaddress",
    'cn=p,ou=points' AS "plasectrxPointDN",
    '0007' AS "plasectrxEvtypeaddress",
    'cn=s,ou=sources' AS "plasectrxSourceDN",
    '40' AS "plasectrxSourcetype",
    'null' AS "plasectrxOperatorname",
    'not a number' AS "plasectrxPri",
    '1.50' AS "plasectrxMsg",
    'cn=i,ou=identities' AS "plasectrxIdentityDN",
    '00012' AS "plasectrxCardno",
    '12E5' AS "plasectrxEmbossedno",
    'O''Brien-Žižek' AS "plasectrxLname",
    '王小明 😀' AS "plasectrxFname",
    'true' AS "plasectrxMi",
    '-1' AS "plasectrxIssuelevel",
    '0' AS "plasectrxFacilityCode",
    '20380119031408Z' AS "plasectrxExpiredat",
    '19700101000000Z' AS "plasectrxActivdat",
    'not a date' AS "plasectrxIssuedat",
    '0' AS "plasectrxHasCamera",
    '1' AS "plasectrxHasNotes",
    NULL::VARCHAR AS "plasectrxHasSoftTriggerSet",
    '2' AS "plasectrxShowVideo",
    '0' AS "plasectrxSeqno",
    '1' AS "plasectrxIsAlarm",
    '007' AS "siteNumber",
    '{"plasectrxSourcealtname": ["first", "second"], "siteNested": {"@level": "1", "door": "01", "floor": "1e3"}}' AS "_extra"
)
FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE SINGLE = TRUE OVERWRITE = TRUE;
CREATE FILE FORMAT IF NOT EXISTS smoke_parquet_FORMAT TYPE = PARQUET COMPRESSION = AUTO USE_VECTORIZED_SCANNER = TRUE;
CREATE TABLE IF NOT EXISTS smoke_parquet (
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
COPY INTO smoke_parquet
FROM @smoke
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
INCLUDE_METADATA = (file_name = METADATA$FILENAME, file_row = METADATA$FILE_ROW_NUMBER, file_modified = METADATA$FILE_LAST_MODIFIED, loaded_at = METADATA$START_SCAN_TIME)
FILE_FORMAT = (FORMAT_NAME = 'smoke_parquet_FORMAT')
PATTERN = '.*smoke[.]parquet'
ON_ERROR = ABORT_STATEMENT;
CREATE OR REPLACE VIEW smoke_parquet_TYPED AS
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
    FROM smoke_parquet
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
INSERT INTO verdicts
    SELECT 'parquet', 'number of rows', '1', TO_VARCHAR(COUNT(*)) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'gatewaydn', 'cn=gw-1,ou=gateways,dc=plasec', TO_VARCHAR(gatewaydn) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'cn', '00012E5', TO_VARCHAR(cn) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'recdate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'paneldate', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldate), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'recdateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', recdateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'paneldateutc', '2014-06-10 12:50:28', TO_VARCHAR(CONVERT_TIMEZONE('UTC', paneldateutc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'lastacc', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', lastacc), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'evtypename', 'Intrusion', TO_VARCHAR(evtypename) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'backgroundcolor', NULL, TO_VARCHAR(backgroundcolor) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'foregroundcolor', NULL, TO_VARCHAR(foregroundcolor) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'ackbackgroundcolor', NULL, TO_VARCHAR(ackbackgroundcolor) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'ackforegroundcolor', '#00FF00', TO_VARCHAR(ackforegroundcolor) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'eventname', 'Input point in alarm', TO_VARCHAR(eventname) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'panelname', 'R&D <North> ''A'' "1"', TO_VARCHAR(panelname) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'sourcename', 'Door <3> & "Lobby"', TO_VARCHAR(sourcename) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'sourcelocation', 'C:\\site\\north', TO_VARCHAR(sourcelocation) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'sourcealtname', 'first', TO_VARCHAR(sourcealtname) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'pointaddress', '750', TO_VARCHAR(pointaddress) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'pointdn', 'cn=p,ou=points', TO_VARCHAR(pointdn) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'evtypeaddress', '7', TO_VARCHAR(evtypeaddress) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'sourcedn', 'cn=s,ou=sources', TO_VARCHAR(sourcedn) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'sourcetype', '40', TO_VARCHAR(sourcetype) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'operatorname', 'null', TO_VARCHAR(operatorname) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'pri', NULL, TO_VARCHAR(pri) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'msg', '1.50', TO_VARCHAR(msg) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'identitydn', 'cn=i,ou=identities', TO_VARCHAR(identitydn) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'cardno', '00012', TO_VARCHAR(cardno) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'embossedno', '12E5', TO_VARCHAR(embossedno) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'lname', 'O''Brien-Žižek', TO_VARCHAR(lname) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'fname', '王小明 😀', TO_VARCHAR(fname) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'mi', 'true', TO_VARCHAR(mi) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'issuelevel', '-1', TO_VARCHAR(issuelevel) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'facilitycode', '0', TO_VARCHAR(facilitycode) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'expiredat', '2038-01-19 03:14:08', TO_VARCHAR(CONVERT_TIMEZONE('UTC', expiredat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'activdat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', activdat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'issuedat', NULL, TO_VARCHAR(CONVERT_TIMEZONE('UTC', issuedat), 'YYYY-MM-DD HH24:MI:SS') FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'hascamera', 'false', TO_VARCHAR(hascamera) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'hasnotes', 'true', TO_VARCHAR(hasnotes) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'hassofttriggerset', NULL, TO_VARCHAR(hassofttriggerset) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'showvideo', NULL, TO_VARCHAR(showvideo) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'seqno', '0', TO_VARCHAR(seqno) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'isalarm', 'true', TO_VARCHAR(isalarm) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'file_name ends in the file', 'true', TO_VARCHAR(ENDSWITH(file_name, 'smoke.parquet')) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'file_row is a number', 'true', TO_VARCHAR(file_row >= 0) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'file_modified and loaded_at are set', 'true', TO_VARCHAR(file_modified IS NOT NULL AND loaded_at IS NOT NULL) FROM smoke_parquet_TYPED
    UNION ALL
    SELECT 'parquet', 'siteNested in _extra', '01', PARSE_JSON(_extra):siteNested.door::STRING FROM smoke_parquet_TYPED;

-- The verdict.
SELECT IFF(expected IS NOT DISTINCT FROM got, 'ok', 'DIFFERS') AS verdict, kind, field, expected, got
FROM verdicts
ORDER BY verdict, kind, field;

-- Afterwards: DROP SCHEMA XML_STREAM_AGGREGATOR_SMOKE;
