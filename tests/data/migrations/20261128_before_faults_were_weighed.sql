PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(20261124090000,'create facts','2026-11-28 07:35:52',1,X'aaafa18cfa85b723337a9fc79894d894d470df8301d7f50bfbe926ba2f6a3a2cb8c7e14a117a6ce55c323d2a7a80e451',1812047);
INSERT INTO _sqlx_migrations VALUES(20261124090100,'create decisions','2026-11-28 07:35:52',1,X'1a102fc11bfa5d8d3242bd543e7d39014ac641abcd3217052afd7e3ff38f61250b1ad8f24654b1181522721f32709213',3988872);
INSERT INTO _sqlx_migrations VALUES(20261124120000,'add log gap','2026-11-28 07:35:52',1,X'780ea9a93797a859900d2676d52ce05169cdf777c66113ec3914027c63d73ee737c4fce28b1848945c4e245c32298a37',3972831);
INSERT INTO _sqlx_migrations VALUES(20261124130000,'create operator lines','2026-11-28 07:35:52',1,X'c906322bdd2ca33da3af759afa076f4c523bee17c4fb82e15309c5d918ef3ea6282d2b851bc0db629a5b7d3711b727de',3964020);
INSERT INTO _sqlx_migrations VALUES(20261124150000,'create graph readings','2026-11-28 07:35:52',1,X'db7d3fc1d5c913d8e1504df21e38b974dbbca02ab3fce334f7cc7e4ff125400d64574ce3b0db1f124eb75bddda0d2994',3979412);
INSERT INTO _sqlx_migrations VALUES(20261124160000,'create destinations','2026-11-28 07:35:52',1,X'c7388578d74aed3875fd394631aac76a96fe32e256b62dee215dcdfae9f0ea5bb6587678244ea124cd5189d666e858f2',3974320);
INSERT INTO _sqlx_migrations VALUES(20261125230000,'add unsure people','2026-11-28 07:35:52',1,X'2d43e083bbe6af9f928f3da906116e10dff92cf0702d24eb4a9844a9c7609217f9c0eafd1d06dc4b5bdabe6e8509e659',3969761);
INSERT INTO _sqlx_migrations VALUES(20261126070000,'index what is due','2026-11-28 07:35:52',1,X'eec511f014485f6472ca0507fe56a713cc402f86ff34e6e1f2580b42c773a99e2e120bd0f7550a5569e92a5f807dcd6c',3981715);
INSERT INTO _sqlx_migrations VALUES(20261128010000,'say what rows are','2026-11-28 07:35:52',1,X'a3140fc09c71bd4c72e7730ef448708e121861cee1b81bef0d5ded8af705240b39f52e9185d1916a90b390b056283d21',7994713);
INSERT INTO _sqlx_migrations VALUES(20261128020000,'list everybody','2026-11-28 07:35:52',1,X'49095f0c387ea385f434a76ca32ee6cb1b58c04f72d7b83a79905b9b3e1b453942ee0deb815a75025475020722ed8098',6767867);
INSERT INTO _sqlx_migrations VALUES(20261128060000,'create counters','2026-11-28 07:35:52',1,X'6d41a03d3d67d419e811ca6d1b63b1da7ae7783b073da9e3c252b20b489d0df8fb60415d5dfd8412a0417614668e7611',3666928);
INSERT INTO _sqlx_migrations VALUES(20261128070000,'keep totals','2026-11-28 07:35:52',1,X'3befadb1262919b7ef833c3057d596be4a2a673d85e5f10179e717917d221476a6b5dd6ef551b38aaf02b4f8646c17f1',3946303);
INSERT INTO _sqlx_migrations VALUES(20261128080000,'remember references','2026-11-28 07:35:52',1,X'2c8ae34aa411579ec177b32a9e820dc02b696224281d292bf1f55d3c1e5677bb945fd59fd6fd7185a80606e460967def',3993681);
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO meta VALUES('losses_dated','1768852800000000');
INSERT INTO meta VALUES('registration_joined_with','');
INSERT INTO meta VALUES('configuration','8b09bfa2-93f4-51b7-9995-9a4a6f62dc26');
INSERT INTO meta VALUES('yardstick','[1768852800000000,11]');
INSERT INTO meta VALUES('newest_pass','1769090400000000');
INSERT INTO meta VALUES('pruned','2026-01-22T14:00:00Z');
CREATE TABLE sources (
    name             TEXT   NOT NULL PRIMARY KEY,
    as_of            BIGINT,
    previous_as_of   BIGINT,
    accepted_at      BIGINT,
    rows_read        BIGINT NOT NULL DEFAULT 0,
    error            TEXT,
    error_at         BIGINT
, resumed_at BIGINT, gap_from BIGINT, gap_to BIGINT);
INSERT INTO sources VALUES('users',1769090400000000,1769004000000000,1769090400000000,12,NULL,NULL,NULL,NULL,NULL);
INSERT INTO sources VALUES('registration',1768852800000000,1768831200000000,1768852800000000,12,NULL,NULL,NULL,NULL,NULL);
INSERT INTO sources VALUES('sign_ins',1769090400000000,1769004000000000,1769090400000000,7,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE parts (
    id           BIGINT NOT NULL PRIMARY KEY,
    source       TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    fingerprint  TEXT   NOT NULL,
    as_of        BIGINT NOT NULL,
    rows_read    BIGINT NOT NULL,
    UNIQUE (source, name)
);
INSERT INTO parts VALUES(1,'users','users.json','3185/1769090400000000000/11763938',1769090400000000,12);
INSERT INTO parts VALUES(3,'registration','registration.json','2583/1768852800000000000/11763939',1768852800000000,12);
INSERT INTO parts VALUES(5,'sign_ins','sign-ins.json','1929/1769090400000000000/11763940',1769090400000000,7);
CREATE TABLE people (
    id                  TEXT    NOT NULL PRIMARY KEY,
    user_principal_name TEXT    NOT NULL,
    upn_key             TEXT    NOT NULL,
    display_name        TEXT,
    mail                TEXT,
    kind                TEXT    NOT NULL CHECK (kind IN ('member', 'guest', 'agent', 'sync')),
    enabled             BOOLEAN NOT NULL,
    created_at          BIGINT,
    preferred_language  TEXT,
    gone_at             BIGINT,
    part                BIGINT  NOT NULL
, last_sign_in_at BIGINT, unsure BOOLEAN NOT NULL DEFAULT FALSE);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000000','p0@contoso.example','p0@contoso.example','Person 0','p0@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000001','p1@contoso.example','p1@contoso.example','Person 1','p1@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000002','p2@contoso.example','p2@contoso.example','Person 2','p2@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000003','p3@contoso.example','p3@contoso.example','Person 3','p3@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000004','p4@contoso.example','p4@contoso.example','Person 4','p4@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000005','p5@contoso.example','p5@contoso.example','Person 5','p5@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000006','p6@contoso.example','p6@contoso.example','Person 6','p6@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000007','p7@contoso.example','p7@contoso.example','Person 7','p7@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000008','p8@contoso.example','p8@contoso.example','Person 8','p8@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-000000000009','p9@contoso.example','p9@contoso.example','Person 9','p9@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-00000000000a','p10@contoso.example','p10@contoso.example','Person 10','p10@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
INSERT INTO people VALUES('00000000-0000-4000-8000-00000000000b','p11@contoso.example','p11@contoso.example','Person 11','p11@contoso.example','member',1,1704067200000000,'en',NULL,1,NULL,0);
CREATE TABLE registrations (
    user_id                    TEXT   NOT NULL PRIMARY KEY,
    level                      TEXT   NOT NULL CHECK (level IN ('missing', 'passwordless', 'capable')),
    detail                     TEXT   NOT NULL,
    absent_since               BIGINT,
    capable_done_as_of         BIGINT,
    capable_missing_since      BIGINT,
    passwordless_done_as_of    BIGINT,
    passwordless_missing_since BIGINT,
    part                       BIGINT NOT NULL
);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000000','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000001','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000002','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000003','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000004','capable','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000005','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000006','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000007','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000008','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-000000000009','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-00000000000a','missing','none',NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO registrations VALUES('00000000-0000-4000-8000-00000000000b','missing','none',NULL,NULL,NULL,NULL,NULL,3);
CREATE TABLE directory_groups (
    id           TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL
);
CREATE TABLE memberships (
    group_id TEXT    NOT NULL,
    direct   BOOLEAN NOT NULL,
    user_id  TEXT    NOT NULL,
    PRIMARY KEY (group_id, direct, user_id)
);
CREATE TABLE sign_ins (
    id              TEXT    NOT NULL PRIMARY KEY,
    user_id         TEXT    NOT NULL,
    at              BIGINT  NOT NULL,
    code            BIGINT  NOT NULL,
    route           TEXT    NOT NULL,
    app             TEXT,
    multifactor_met BOOLEAN NOT NULL
);
INSERT INTO sign_ins VALUES('s00000000-0000-4000-9000-000000000000','00000000-0000-4000-8000-000000000005',1767618000000000,0,'interactive','Teams',0);
INSERT INTO sign_ins VALUES('s00000001-0000-4000-9000-000000000000','00000000-0000-4000-8000-000000000000',1767704400000000,0,'interactive','Teams',0);
INSERT INTO sign_ins VALUES('s00000002-0000-4000-9000-000000000000','00000000-0000-4000-8000-000000000001',1767708000000000,0,'interactive','Teams',0);
INSERT INTO sign_ins VALUES('s00000003-0000-4000-9000-000000000000','00000000-0000-4000-8000-000000000002',1767711600000000,0,'interactive','Teams',0);
INSERT INTO sign_ins VALUES('s00000004-0000-4000-9000-000000000000','00000000-0000-4000-8000-000000000003',1767715200000000,0,'interactive','Teams',0);
INSERT INTO sign_ins VALUES('s00000005-0000-4000-9000-000000000000','00000000-0000-4000-8000-000000000004',1767718800000000,0,'interactive','Teams',0);
INSERT INTO sign_ins VALUES('s00000006-0000-4000-9000-000000000000','00000000-0000-4000-8000-000000000006',1768824000000000,0,'interactive','Teams',0);
CREATE TABLE activity (
    user_id            TEXT NOT NULL PRIMARY KEY,
    non_interactive_at BIGINT,
    legacy_at          BIGINT
);
CREATE TABLE audits (
    id      TEXT   NOT NULL PRIMARY KEY,
    user_id TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL
);
CREATE TABLE acts (
    id      BIGINT NOT NULL PRIMARY KEY,
    user_id TEXT   NOT NULL,
    policy  TEXT,
    kind    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    reason  TEXT   NOT NULL,
    actor   TEXT   NOT NULL,
    ticket  TEXT
);
CREATE TABLE changed (
    user_id TEXT   NOT NULL PRIMARY KEY,
    mark    BIGINT NOT NULL
);
CREATE TABLE quarantine (
    source TEXT   NOT NULL,
    file   TEXT   NOT NULL,
    line   BIGINT NOT NULL,
    reason TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (source, file, line)
);
CREATE TABLE policies (
    name       TEXT   NOT NULL PRIMARY KEY,
    enforce    TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    first_pass BIGINT NOT NULL,
    on_again   BIGINT
);
INSERT INTO policies VALUES('everyone','on',1767614400000000,1767621600000000,NULL);
CREATE TABLE journal (
    id       BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    policy   TEXT,
    user_id  TEXT,
    sequence BIGINT,
    step     TEXT,
    deadline BIGINT,
    rehearsed BOOLEAN NOT NULL,
    hold     TEXT,
    reasons  TEXT   NOT NULL
);
INSERT INTO journal VALUES(1,1767621600000000,'window.opened','everyone','00000000-0000-4000-8000-000000000005',1,'0d',1768827600000000,0,NULL,'[{"code":"qualifying_sign_in","text":"a completed interactive sign-in at Teams opened the window","at":"2026-01-05T13:00:00Z"},{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-05T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-05T13:00:00Z","at":"2026-01-05T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-19T13:00:00Z: not told yet","at":"2026-01-19T13:00:00Z"}]');
INSERT INTO journal VALUES(2,1767708000000000,'window.opened','everyone','00000000-0000-4000-8000-000000000000',1,'0d',1768914000000000,0,NULL,'[{"code":"qualifying_sign_in","text":"a completed interactive sign-in at Teams opened the window","at":"2026-01-06T13:00:00Z"},{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-06T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T13:00:00Z","at":"2026-01-06T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T13:00:00Z: not told yet","at":"2026-01-20T13:00:00Z"}]');
INSERT INTO journal VALUES(3,1767708000000000,'window.opened','everyone','00000000-0000-4000-8000-000000000001',1,'0d',1768917600000000,0,NULL,'[{"code":"qualifying_sign_in","text":"a completed interactive sign-in at Teams opened the window","at":"2026-01-06T14:00:00Z"},{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-06T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T14:00:00Z","at":"2026-01-06T14:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T14:00:00Z: not told yet","at":"2026-01-20T14:00:00Z"}]');
INSERT INTO journal VALUES(4,1767794400000000,'window.opened','everyone','00000000-0000-4000-8000-000000000002',1,'0d',1768921200000000,0,NULL,'[{"code":"qualifying_sign_in","text":"a completed interactive sign-in at Teams opened the window","at":"2026-01-06T15:00:00Z"},{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-07T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T15:00:00Z","at":"2026-01-06T15:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T15:00:00Z: not told yet","at":"2026-01-20T15:00:00Z"}]');
INSERT INTO journal VALUES(5,1767794400000000,'window.opened','everyone','00000000-0000-4000-8000-000000000003',1,'0d',1768924800000000,0,NULL,'[{"code":"qualifying_sign_in","text":"a completed interactive sign-in at Teams opened the window","at":"2026-01-06T16:00:00Z"},{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-07T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T16:00:00Z","at":"2026-01-06T16:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T16:00:00Z: not told yet","at":"2026-01-20T16:00:00Z"}]');
INSERT INTO journal VALUES(6,1767794400000000,'window.opened','everyone','00000000-0000-4000-8000-000000000004',1,'0d',1768928400000000,0,NULL,'[{"code":"qualifying_sign_in","text":"a completed interactive sign-in at Teams opened the window","at":"2026-01-06T17:00:00Z"},{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-07T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T17:00:00Z","at":"2026-01-06T17:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T17:00:00Z: not told yet","at":"2026-01-20T17:00:00Z"}]');
INSERT INTO journal VALUES(7,1768226400000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000005',1,'-7d',1768827600000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-12T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-05T13:00:00Z","at":"2026-01-05T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-19T13:00:00Z: told, and kept","at":"2026-01-19T13:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-05T14:00:00Z"}]');
INSERT INTO journal VALUES(8,1768312800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000000',1,'-7d',1768914000000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-13T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T13:00:00Z","at":"2026-01-06T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T13:00:00Z: not told yet","at":"2026-01-20T13:00:00Z"}]');
INSERT INTO journal VALUES(9,1768312800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000001',1,'-7d',1768917600000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-13T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T14:00:00Z","at":"2026-01-06T14:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T14:00:00Z: not told yet","at":"2026-01-20T14:00:00Z"}]');
INSERT INTO journal VALUES(10,1768399200000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000002',1,'-7d',1768921200000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-14T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T15:00:00Z","at":"2026-01-06T15:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T15:00:00Z: told, and kept","at":"2026-01-20T15:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(11,1768399200000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000003',1,'-7d',1768924800000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-14T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T16:00:00Z","at":"2026-01-06T16:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T16:00:00Z: told, and kept","at":"2026-01-20T16:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(12,1768399200000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000004',1,'-7d',1768928400000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-14T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T17:00:00Z","at":"2026-01-06T17:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T17:00:00Z: told, and kept","at":"2026-01-20T17:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(13,1768572000000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000005',1,'-3d',1768827600000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-16T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-05T13:00:00Z","at":"2026-01-05T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-19T13:00:00Z: told, and kept","at":"2026-01-19T13:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-05T14:00:00Z"}]');
INSERT INTO journal VALUES(14,1768658400000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000000',1,'-3d',1768917600000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-17T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T13:00:00Z","at":"2026-01-06T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T14:00:00Z: nobody was told yet, so never earlier than the minimum notice of 3 d from now","at":"2026-01-20T14:00:00Z"}]');
INSERT INTO journal VALUES(15,1768658400000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000001',1,'-3d',1768917600000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-17T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T14:00:00Z","at":"2026-01-06T14:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T14:00:00Z: not told yet","at":"2026-01-20T14:00:00Z"}]');
INSERT INTO journal VALUES(16,1768744800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000002',1,'-3d',1768921200000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-18T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T15:00:00Z","at":"2026-01-06T15:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T15:00:00Z: told, and kept","at":"2026-01-20T15:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(17,1768744800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000003',1,'-3d',1768924800000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-18T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T16:00:00Z","at":"2026-01-06T16:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T16:00:00Z: told, and kept","at":"2026-01-20T16:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(18,1768744800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000004',1,'-3d',1768928400000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-18T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T17:00:00Z","at":"2026-01-06T17:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T17:00:00Z: told, and kept","at":"2026-01-20T17:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(19,1768744800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000005',1,'-1d',1768827600000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-18T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-05T13:00:00Z","at":"2026-01-05T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-19T13:00:00Z: told, and kept","at":"2026-01-19T13:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-05T14:00:00Z"}]');
INSERT INTO journal VALUES(20,1768831200000000,'enforcement.needed','everyone','00000000-0000-4000-8000-000000000005',1,NULL,1768827600000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-19T14:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-05T13:00:00Z","at":"2026-01-05T13:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-19T13:00:00Z: told, and kept","at":"2026-01-19T13:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-05T14:00:00Z"},{"code":"deadline_passed","text":"the deadline passed and everything was proven","at":"2026-01-19T14:00:00Z"}]');
INSERT INTO journal VALUES(21,1768852800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000002',1,'-1d',1768921200000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-19T20:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T15:00:00Z","at":"2026-01-06T15:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T15:00:00Z: told, and kept","at":"2026-01-20T15:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(22,1768852800000000,'window.reminder','everyone','00000000-0000-4000-8000-000000000003',1,'-1d',1768924800000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-19T20:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-06T16:00:00Z","at":"2026-01-06T16:00:00Z"},{"code":"deadline","text":"the deadline is 2026-01-20T16:00:00Z: told, and kept","at":"2026-01-20T16:00:00Z"},{"code":"notice_given","text":"a message naming the deadline was accepted","at":"2026-01-07T14:00:00Z"}]');
INSERT INTO journal VALUES(23,1768852800000000,'user.registered','everyone','00000000-0000-4000-8000-000000000004',1,NULL,1768928400000000,0,NULL,'[{"code":"included","text":"included as one of all users","at":null},{"code":"registered","text":"the registration report says registered","at":"2026-01-19T20:00:00Z"},{"code":"deadline","text":"the window is closed","at":"2026-01-19T20:00:00Z"}]');
INSERT INTO journal VALUES(24,1768852800000000,'window.opened','everyone','00000000-0000-4000-8000-000000000006',1,'0d',1770033600000000,0,NULL,'[{"code":"qualifying_sign_in","text":"a completed interactive sign-in at Teams opened the window","at":"2026-01-19T12:00:00Z"},{"code":"included","text":"included as one of all users","at":null},{"code":"not_registered","text":"the registration report says not registered","at":"2026-01-19T20:00:00Z"},{"code":"qualifying_sign_in","text":"the window counts from a sign-in at 2026-01-19T12:00:00Z","at":"2026-01-19T12:00:00Z"},{"code":"deadline","text":"the deadline is 2026-02-02T12:00:00Z: not told yet","at":"2026-02-02T12:00:00Z"}]');
INSERT INTO journal VALUES(25,1769004000000000,'hold.raised',NULL,NULL,NULL,NULL,NULL,0,'stale:registration','[{"at":"2026-01-21T14:00:00Z","code":"held","text":"the newest rows of the registration report are of 2026-01-19T20:00:00Z, older than 36 h"}]');
INSERT INTO journal VALUES(26,1769090400000000,'hold.raised',NULL,NULL,NULL,NULL,NULL,0,'proof','[{"at":"2026-01-22T14:00:00Z","code":"held","text":"2 people wait for a registration report dated after their deadline; the newest is of 2026-01-19T20:00:00Z"}]');
CREATE TABLE attempts (
    delivery_id TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    outcome     TEXT,
    code        TEXT, destination TEXT NOT NULL DEFAULT 'email',
    PRIMARY KEY (delivery_id, number)
);
INSERT INTO attempts VALUES('5e87502f-a08c-541a-b044-0ab0f9601f52',1,1767621600000000,1767621600000000,'accepted','250','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',1,1767708000000000,1767708000000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',1,1767708000000000,1767708000000000,'deferred','550','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',2,1767794400000000,1767794400000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',2,1767794400000000,1767794400000000,'deferred','550','email');
INSERT INTO attempts VALUES('8e330f19-b964-5087-96ea-b64d676b92ff',1,1767794400000000,1767794400000000,'accepted','250','email');
INSERT INTO attempts VALUES('e06fc7bc-fb7e-5780-8fdf-7d52be5ef849',1,1767794400000000,1767794400000000,'accepted','250','email');
INSERT INTO attempts VALUES('7dd2ccab-153a-5cd7-985d-52275d239bbb',1,1767794400000000,1767794400000000,'accepted','250','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',3,1767816000000000,1767816000000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',3,1767816000000000,1767816000000000,'deferred','550','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',4,1767880800000000,1767880800000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',4,1767880800000000,1767880800000000,'deferred','550','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',5,1767967200000000,1767967200000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',5,1767967200000000,1767967200000000,'deferred','550','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',6,1768053600000000,1768053600000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',6,1768053600000000,1768053600000000,'deferred','550','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',7,1768140000000000,1768140000000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',7,1768140000000000,1768140000000000,'deferred','550','email');
INSERT INTO attempts VALUES('efad1046-3f00-5e0b-82aa-966e78ec03f2',1,1768226400000000,1768226400000000,'accepted','250','email');
INSERT INTO attempts VALUES('1038258f-d365-5094-a529-9d3854d7f4f4',8,1768226400000000,1768226400000000,'deferred','550','email');
INSERT INTO attempts VALUES('5a2728ba-e156-57fc-994a-8138489c4155',8,1768226400000000,1768226400000000,'deferred','550','email');
INSERT INTO attempts VALUES('b3e37935-d4a4-5114-89ab-e5247a8cc600',1,1768312800000000,1768312800000000,'deferred','550','email');
INSERT INTO attempts VALUES('8a079eca-24bb-503e-8d8c-ed4ac8962395',1,1768312800000000,1768312800000000,'deferred','550','email');
INSERT INTO attempts VALUES('b3e37935-d4a4-5114-89ab-e5247a8cc600',2,1768399200000000,1768399200000000,'deferred','550','email');
INSERT INTO attempts VALUES('8a079eca-24bb-503e-8d8c-ed4ac8962395',2,1768399200000000,1768399200000000,'deferred','550','email');
INSERT INTO attempts VALUES('37e692e9-4e57-5f91-874c-62be32df4759',1,1768399200000000,1768399200000000,'accepted','250','email');
INSERT INTO attempts VALUES('667ee298-4b2b-5581-bba1-d8b1e49dd205',1,1768399200000000,1768399200000000,'accepted','250','email');
INSERT INTO attempts VALUES('3300873e-17db-5244-b0ed-81e73e459ddf',1,1768399200000000,1768399200000000,'accepted','250','email');
INSERT INTO attempts VALUES('b3e37935-d4a4-5114-89ab-e5247a8cc600',3,1768485600000000,1768485600000000,'deferred','550','email');
INSERT INTO attempts VALUES('8a079eca-24bb-503e-8d8c-ed4ac8962395',3,1768485600000000,1768485600000000,'deferred','550','email');
INSERT INTO attempts VALUES('e3b259c8-18e1-5c9f-972c-ffbd8e04cbdf',1,1768572000000000,1768572000000000,'accepted','250','email');
INSERT INTO attempts VALUES('b3e37935-d4a4-5114-89ab-e5247a8cc600',4,1768572000000000,1768572000000000,'deferred','550','email');
INSERT INTO attempts VALUES('8a079eca-24bb-503e-8d8c-ed4ac8962395',4,1768572000000000,1768572000000000,'deferred','550','email');
INSERT INTO attempts VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a',1,1768658400000000,1768658400000000,'deferred','550','email');
INSERT INTO attempts VALUES('9e700965-0a40-52db-a85a-a2078c0beedf',1,1768658400000000,1768658400000000,'deferred','550','email');
INSERT INTO attempts VALUES('fabdae04-d652-513b-907e-8019ef916f05',1,1768744800000000,1768744800000000,'accepted','250','email');
INSERT INTO attempts VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a',2,1768744800000000,1768744800000000,'deferred','550','email');
INSERT INTO attempts VALUES('9e700965-0a40-52db-a85a-a2078c0beedf',2,1768744800000000,1768744800000000,'deferred','550','email');
INSERT INTO attempts VALUES('7ef41194-8d01-5e03-a541-e50a9fa20147',1,1768744800000000,1768744800000000,'accepted','250','email');
INSERT INTO attempts VALUES('4451372f-8015-5721-8a87-65bdaacbe0c9',1,1768744800000000,1768744800000000,'accepted','250','email');
INSERT INTO attempts VALUES('e0d7a15d-9204-532d-87ba-d728a2ed8e05',1,1768744800000000,1768744800000000,'accepted','250','email');
INSERT INTO attempts VALUES('77815933-b3a1-599e-8ea4-fdbbed377651',1,1768831200000000,1768831200000000,'accepted','250','email');
INSERT INTO attempts VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a',3,1768831200000000,1768831200000000,'deferred','550','email');
INSERT INTO attempts VALUES('9e700965-0a40-52db-a85a-a2078c0beedf',3,1768831200000000,1768831200000000,'deferred','550','email');
INSERT INTO attempts VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a',4,1768852800000000,1768852800000000,'deferred','550','email');
INSERT INTO attempts VALUES('9e700965-0a40-52db-a85a-a2078c0beedf',4,1768852800000000,1768852800000000,'deferred','550','email');
INSERT INTO attempts VALUES('1672f267-c6a7-504d-bfd2-b575c9751432',1,1768852800000000,1768852800000000,'accepted','250','email');
INSERT INTO attempts VALUES('1432f7fd-b147-5da1-91b6-b9f5c1358539',1,1768852800000000,1768852800000000,'accepted','250','email');
INSERT INTO attempts VALUES('4449dcc4-4358-5706-979e-ca857ab0e7b0',1,1768852800000000,1768852800000000,'accepted','250','email');
INSERT INTO attempts VALUES('e17f9170-cde5-5667-b195-d868dbc1ff59',1,1768852800000000,1768852800000000,'accepted','250','email');
INSERT INTO attempts VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a',5,1768917600000000,1768917600000000,'deferred','550','email');
INSERT INTO attempts VALUES('9e700965-0a40-52db-a85a-a2078c0beedf',5,1768917600000000,1768917600000000,'deferred','550','email');
INSERT INTO attempts VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a',6,1769004000000000,1769004000000000,'deferred','550','email');
INSERT INTO attempts VALUES('9e700965-0a40-52db-a85a-a2078c0beedf',6,1769004000000000,1769004000000000,'deferred','550','email');
INSERT INTO attempts VALUES('c3f756d0-3322-5fe0-a76b-71b7c36d0be0',1,1769004000000000,1769004000000000,'accepted','250','email');
INSERT INTO attempts VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a',7,1769090400000000,1769090400000000,'deferred','550','email');
INSERT INTO attempts VALUES('9e700965-0a40-52db-a85a-a2078c0beedf',7,1769090400000000,1769090400000000,'deferred','550','email');
INSERT INTO attempts VALUES('9d98df1d-24fe-5405-8b17-f593590a5bf3',1,1769090400000000,1769090400000000,'accepted','250','email');
CREATE TABLE holds (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    policy      TEXT,
    since       BIGINT NOT NULL,
    listed_at   BIGINT NOT NULL,
    stands      BOOLEAN NOT NULL,
    text        TEXT   NOT NULL,
    evidence    TEXT   NOT NULL,
    approved_at BIGINT,
    approved_by TEXT,
    reason      TEXT
);
INSERT INTO holds VALUES('stale:registration','stale',NULL,1769004000000000,1769090400000000,1,'the newest rows of the registration report are of 2026-01-19T20:00:00Z, older than 36 h','',NULL,NULL,NULL);
INSERT INTO holds VALUES('proof','proof',NULL,1769090400000000,1769090400000000,1,'2 people wait for a registration report dated after their deadline; the newest is of 2026-01-19T20:00:00Z','',NULL,NULL,NULL);
CREATE TABLE hold_people (
    hold_id TEXT NOT NULL,
    policy  TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (hold_id, policy, user_id)
);
CREATE TABLE doubted_people (
    user_id TEXT NOT NULL PRIMARY KEY
);
CREATE TABLE staged_registrations (
    user_id TEXT NOT NULL PRIMARY KEY,
    level   TEXT NOT NULL,
    detail  TEXT NOT NULL
);
CREATE TABLE registration_probes (
    user_id TEXT   NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL
);
CREATE TABLE destinations (
    name          TEXT   NOT NULL PRIMARY KEY,
    state         TEXT   NOT NULL CHECK (state IN ('active', 'paused', 'dead')),
    paused_until  BIGINT,
    reason        TEXT,
    failures      BIGINT NOT NULL,
    failing_since BIGINT,
    refusals      BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS "outbox" (
    id            TEXT    NOT NULL PRIMARY KEY,
    dedup_key     TEXT    NOT NULL UNIQUE,
    position      BIGINT  NOT NULL,
    -- 'email', or the name of a webhook.
    destination   TEXT    NOT NULL,
    event         TEXT    NOT NULL,
    asks          TEXT    NOT NULL CHECK (asks IN ('notice', 'flag', 'thanks', 'news')),
    policy        TEXT,
    user_id       TEXT,
    sequence      BIGINT  NOT NULL,
    moves         BIGINT  NOT NULL,
    step          TEXT,
    -- Of mails alone.
    address       TEXT,
    name          TEXT,
    language      TEXT,
    opened_at     BIGINT,
    deadline      BIGINT,
    -- Nobody was told of the deadline yet: it is computed from the standing at each first attempt.
    floats        BOOLEAN NOT NULL,
    -- What becomes of it is a fact of the next decision about the person.
    is_fact       BOOLEAN NOT NULL,
    must_register BOOLEAN NOT NULL,
    title         TEXT,
    lines         TEXT,
    -- The bytes of a webhook, equal on every attempt. A mail is written when it is sent.
    body          TEXT,
    -- Rows of one key go to a destination one after the other; none where order does not matter.
    ordering_key  TEXT,
    queued_at     BIGINT  NOT NULL,
    not_after     BIGINT,
    -- Who goes first at a destination: the smaller, then the older.
    turn          BIGINT  NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN
        ('pending', 'leased', 'sent', 'ambiguous', 'failed', 'superseded', 'expired', 'dead')),
    attempts      BIGINT  NOT NULL,
    -- The outcome was lost, and that used up the one resend of a mail.
    resent        BOOLEAN NOT NULL,
    -- Some attempt may have arrived: the next one says the same.
    in_doubt      BOOLEAN NOT NULL,
    next_at       BIGINT,
    leased_by     TEXT,
    leased_until  BIGINT,
    last_code     TEXT,
    last_error    TEXT,
    settled_at    BIGINT,
    -- The Message-ID of a mail, the webhook-id of a webhook: always the same.
    message_id    TEXT    NOT NULL,
    CHECK ((next_at IS NOT NULL) = (state IN ('pending', 'ambiguous'))),
    CHECK ((leased_until IS NOT NULL) = (state = 'leased')),
    CHECK ((settled_at IS NOT NULL) = (state IN ('sent', 'failed', 'superseded', 'expired', 'dead')))
);
INSERT INTO outbox VALUES('5e87502f-a08c-541a-b044-0ab0f9601f52','everyone/00000000-0000-4000-8000-000000000005/1/0/1/window.opened/0d',1,'email','window.opened','notice','everyone','00000000-0000-4000-8000-000000000005',1,0,'0d','p5@contoso.example','Person 5','en',1767618000000000,1768827600000000,1,1,0,NULL,NULL,NULL,NULL,1767621600000000,NULL,1768827600000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1767621600000000,'<5e87502f-a08c-541a-b044-0ab0f9601f52@contoso.example>');
INSERT INTO outbox VALUES('1038258f-d365-5094-a529-9d3854d7f4f4','everyone/00000000-0000-4000-8000-000000000000/1/0/1/window.opened/0d',2,'email','window.opened','notice','everyone','00000000-0000-4000-8000-000000000000',1,0,'0d','p0@contoso.example','Person 0','en',1767704400000000,1768914000000000,1,1,0,NULL,NULL,NULL,NULL,1767708000000000,NULL,1768914000000000,'superseded',8,0,0,NULL,NULL,NULL,'550','5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; restricted',1768312800000000,'<1038258f-d365-5094-a529-9d3854d7f4f4@contoso.example>');
INSERT INTO outbox VALUES('5a2728ba-e156-57fc-994a-8138489c4155','everyone/00000000-0000-4000-8000-000000000001/1/0/1/window.opened/0d',3,'email','window.opened','notice','everyone','00000000-0000-4000-8000-000000000001',1,0,'0d','p1@contoso.example','Person 1','en',1767708000000000,1768917600000000,1,1,0,NULL,NULL,NULL,NULL,1767708000000000,NULL,1768917600000000,'superseded',8,0,0,NULL,NULL,NULL,'550','5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; restricted',1768312800000000,'<5a2728ba-e156-57fc-994a-8138489c4155@contoso.example>');
INSERT INTO outbox VALUES('8e330f19-b964-5087-96ea-b64d676b92ff','everyone/00000000-0000-4000-8000-000000000002/1/0/1/window.opened/0d',4,'email','window.opened','notice','everyone','00000000-0000-4000-8000-000000000002',1,0,'0d','p2@contoso.example','Person 2','en',1767711600000000,1768921200000000,1,1,0,NULL,NULL,NULL,NULL,1767794400000000,NULL,1768921200000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1767794400000000,'<8e330f19-b964-5087-96ea-b64d676b92ff@contoso.example>');
INSERT INTO outbox VALUES('e06fc7bc-fb7e-5780-8fdf-7d52be5ef849','everyone/00000000-0000-4000-8000-000000000003/1/0/1/window.opened/0d',5,'email','window.opened','notice','everyone','00000000-0000-4000-8000-000000000003',1,0,'0d','p3@contoso.example','Person 3','en',1767715200000000,1768924800000000,1,1,0,NULL,NULL,NULL,NULL,1767794400000000,NULL,1768924800000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1767794400000000,'<e06fc7bc-fb7e-5780-8fdf-7d52be5ef849@contoso.example>');
INSERT INTO outbox VALUES('7dd2ccab-153a-5cd7-985d-52275d239bbb','everyone/00000000-0000-4000-8000-000000000004/1/0/1/window.opened/0d',6,'email','window.opened','notice','everyone','00000000-0000-4000-8000-000000000004',1,0,'0d','p4@contoso.example','Person 4','en',1767718800000000,1768928400000000,1,1,0,NULL,NULL,NULL,NULL,1767794400000000,NULL,1768928400000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1767794400000000,'<7dd2ccab-153a-5cd7-985d-52275d239bbb@contoso.example>');
INSERT INTO outbox VALUES('efad1046-3f00-5e0b-82aa-966e78ec03f2','everyone/00000000-0000-4000-8000-000000000005/1/0/2/window.reminder/-7d',7,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000005',1,0,'-7d','p5@contoso.example','Person 5','en',1767618000000000,1768827600000000,0,1,0,NULL,NULL,NULL,NULL,1768226400000000,1768827600000000,1768827600000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768226400000000,'<efad1046-3f00-5e0b-82aa-966e78ec03f2@contoso.example>');
INSERT INTO outbox VALUES('b3e37935-d4a4-5114-89ab-e5247a8cc600','everyone/00000000-0000-4000-8000-000000000000/1/0/2/window.reminder/-7d',8,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000000',1,0,'-7d','p0@contoso.example','Person 0','en',1767704400000000,1768914000000000,1,1,0,NULL,NULL,NULL,NULL,1768312800000000,NULL,1768914000000000,'superseded',4,0,0,NULL,NULL,NULL,'550','5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; restricted',1768658400000000,'<b3e37935-d4a4-5114-89ab-e5247a8cc600@contoso.example>');
INSERT INTO outbox VALUES('8a079eca-24bb-503e-8d8c-ed4ac8962395','everyone/00000000-0000-4000-8000-000000000001/1/0/2/window.reminder/-7d',9,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000001',1,0,'-7d','p1@contoso.example','Person 1','en',1767708000000000,1768917600000000,1,1,0,NULL,NULL,NULL,NULL,1768312800000000,NULL,1768917600000000,'superseded',4,0,0,NULL,NULL,NULL,'550','5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; restricted',1768658400000000,'<8a079eca-24bb-503e-8d8c-ed4ac8962395@contoso.example>');
INSERT INTO outbox VALUES('37e692e9-4e57-5f91-874c-62be32df4759','everyone/00000000-0000-4000-8000-000000000002/1/0/2/window.reminder/-7d',10,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000002',1,0,'-7d','p2@contoso.example','Person 2','en',1767711600000000,1768921200000000,0,1,0,NULL,NULL,NULL,NULL,1768399200000000,1768921200000000,1768921200000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768399200000000,'<37e692e9-4e57-5f91-874c-62be32df4759@contoso.example>');
INSERT INTO outbox VALUES('667ee298-4b2b-5581-bba1-d8b1e49dd205','everyone/00000000-0000-4000-8000-000000000003/1/0/2/window.reminder/-7d',11,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000003',1,0,'-7d','p3@contoso.example','Person 3','en',1767715200000000,1768924800000000,0,1,0,NULL,NULL,NULL,NULL,1768399200000000,1768924800000000,1768924800000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768399200000000,'<667ee298-4b2b-5581-bba1-d8b1e49dd205@contoso.example>');
INSERT INTO outbox VALUES('3300873e-17db-5244-b0ed-81e73e459ddf','everyone/00000000-0000-4000-8000-000000000004/1/0/2/window.reminder/-7d',12,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000004',1,0,'-7d','p4@contoso.example','Person 4','en',1767718800000000,1768928400000000,0,1,0,NULL,NULL,NULL,NULL,1768399200000000,1768928400000000,1768928400000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768399200000000,'<3300873e-17db-5244-b0ed-81e73e459ddf@contoso.example>');
INSERT INTO outbox VALUES('e3b259c8-18e1-5c9f-972c-ffbd8e04cbdf','everyone/00000000-0000-4000-8000-000000000005/1/0/3/window.reminder/-3d',13,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000005',1,0,'-3d','p5@contoso.example','Person 5','en',1767618000000000,1768827600000000,0,1,0,NULL,NULL,NULL,NULL,1768572000000000,1768827600000000,1768827600000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768572000000000,'<e3b259c8-18e1-5c9f-972c-ffbd8e04cbdf@contoso.example>');
INSERT INTO outbox VALUES('8e109af3-8c2b-56e0-8b42-e9f5135ec10a','everyone/00000000-0000-4000-8000-000000000000/1/0/3/window.reminder/-3d',14,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000000',1,0,'-3d','p0@contoso.example','Person 0','en',1767704400000000,1769349600000000,1,1,0,NULL,NULL,NULL,NULL,1768658400000000,NULL,1768917600000000,'pending',7,0,0,1769090634789007,NULL,NULL,'550','5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; restricted',NULL,'<8e109af3-8c2b-56e0-8b42-e9f5135ec10a@contoso.example>');
INSERT INTO outbox VALUES('9e700965-0a40-52db-a85a-a2078c0beedf','everyone/00000000-0000-4000-8000-000000000001/1/0/3/window.reminder/-3d',15,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000001',1,0,'-3d','p1@contoso.example','Person 1','en',1767708000000000,1769349600000000,1,1,0,NULL,NULL,NULL,NULL,1768658400000000,NULL,1768917600000000,'pending',7,0,0,1769090503060231,NULL,NULL,'550','5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; restricted',NULL,'<9e700965-0a40-52db-a85a-a2078c0beedf@contoso.example>');
INSERT INTO outbox VALUES('7ef41194-8d01-5e03-a541-e50a9fa20147','everyone/00000000-0000-4000-8000-000000000002/1/0/3/window.reminder/-3d',16,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000002',1,0,'-3d','p2@contoso.example','Person 2','en',1767711600000000,1768921200000000,0,1,0,NULL,NULL,NULL,NULL,1768744800000000,1768921200000000,1768921200000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768744800000000,'<7ef41194-8d01-5e03-a541-e50a9fa20147@contoso.example>');
INSERT INTO outbox VALUES('4451372f-8015-5721-8a87-65bdaacbe0c9','everyone/00000000-0000-4000-8000-000000000003/1/0/3/window.reminder/-3d',17,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000003',1,0,'-3d','p3@contoso.example','Person 3','en',1767715200000000,1768924800000000,0,1,0,NULL,NULL,NULL,NULL,1768744800000000,1768924800000000,1768924800000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768744800000000,'<4451372f-8015-5721-8a87-65bdaacbe0c9@contoso.example>');
INSERT INTO outbox VALUES('e0d7a15d-9204-532d-87ba-d728a2ed8e05','everyone/00000000-0000-4000-8000-000000000004/1/0/3/window.reminder/-3d',18,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000004',1,0,'-3d','p4@contoso.example','Person 4','en',1767718800000000,1768928400000000,0,1,0,NULL,NULL,NULL,NULL,1768744800000000,1768928400000000,1768928400000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768744800000000,'<e0d7a15d-9204-532d-87ba-d728a2ed8e05@contoso.example>');
INSERT INTO outbox VALUES('fabdae04-d652-513b-907e-8019ef916f05','everyone/00000000-0000-4000-8000-000000000005/1/0/4/window.reminder/-1d',19,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000005',1,0,'-1d','p5@contoso.example','Person 5','en',1767618000000000,1768827600000000,0,1,0,NULL,NULL,NULL,NULL,1768744800000000,1768827600000000,1768827600000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768744800000000,'<fabdae04-d652-513b-907e-8019ef916f05@contoso.example>');
INSERT INTO outbox VALUES('77815933-b3a1-599e-8ea4-fdbbed377651','everyone/00000000-0000-4000-8000-000000000005/1/0/5/enforcement.needed/',20,'email','enforcement.needed','flag','everyone','00000000-0000-4000-8000-000000000005',1,0,NULL,'p5@contoso.example','Person 5','en',1767618000000000,1768827600000000,0,1,0,NULL,NULL,NULL,NULL,1768831200000000,1769436000000000,1768827600000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768831200000000,'<77815933-b3a1-599e-8ea4-fdbbed377651@contoso.example>');
INSERT INTO outbox VALUES('1672f267-c6a7-504d-bfd2-b575c9751432','everyone/00000000-0000-4000-8000-000000000002/1/0/4/window.reminder/-1d',21,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000002',1,0,'-1d','p2@contoso.example','Person 2','en',1767711600000000,1768921200000000,0,1,0,NULL,NULL,NULL,NULL,1768852800000000,1768921200000000,1768921200000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768852800000000,'<1672f267-c6a7-504d-bfd2-b575c9751432@contoso.example>');
INSERT INTO outbox VALUES('1432f7fd-b147-5da1-91b6-b9f5c1358539','everyone/00000000-0000-4000-8000-000000000003/1/0/4/window.reminder/-1d',22,'email','window.reminder','notice','everyone','00000000-0000-4000-8000-000000000003',1,0,'-1d','p3@contoso.example','Person 3','en',1767715200000000,1768924800000000,0,1,0,NULL,NULL,NULL,NULL,1768852800000000,1768924800000000,1768924800000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768852800000000,'<1432f7fd-b147-5da1-91b6-b9f5c1358539@contoso.example>');
INSERT INTO outbox VALUES('4449dcc4-4358-5706-979e-ca857ab0e7b0','everyone/00000000-0000-4000-8000-000000000004/1/0/4/user.registered/',23,'email','user.registered','thanks','everyone','00000000-0000-4000-8000-000000000004',1,0,NULL,'p4@contoso.example','Person 4','en',1767718800000000,1768928400000000,0,1,0,NULL,NULL,NULL,NULL,1768852800000000,1769457600000000,1768928400000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768852800000000,'<4449dcc4-4358-5706-979e-ca857ab0e7b0@contoso.example>');
INSERT INTO outbox VALUES('e17f9170-cde5-5667-b195-d868dbc1ff59','everyone/00000000-0000-4000-8000-000000000006/1/0/1/window.opened/0d',24,'email','window.opened','notice','everyone','00000000-0000-4000-8000-000000000006',1,0,'0d','p6@contoso.example','Person 6','en',1768824000000000,1770033600000000,1,1,0,NULL,NULL,NULL,NULL,1768852800000000,NULL,1770033600000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1768852800000000,'<e17f9170-cde5-5667-b195-d868dbc1ff59@contoso.example>');
INSERT INTO outbox VALUES('c3f756d0-3322-5fe0-a76b-71b7c36d0be0','operators/hold.raised/stale:registration/1769004000000000/ops@contoso.example',25,'email','hold.raised','news',NULL,NULL,0,0,NULL,'ops@contoso.example',NULL,NULL,NULL,NULL,0,0,0,'stale:registration','["the newest rows of the registration report are of 2026-01-19T20:00:00Z, older than 36 h","A newer reading ends it; \"fortnight doctor\" says whether one can be had."]',NULL,NULL,1769004000000000,NULL,1769004000000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1769004000000000,'<c3f756d0-3322-5fe0-a76b-71b7c36d0be0@contoso.example>');
INSERT INTO outbox VALUES('9d98df1d-24fe-5405-8b17-f593590a5bf3','operators/hold.raised/proof/1769090400000000/ops@contoso.example',27,'email','hold.raised','news',NULL,NULL,0,0,NULL,'ops@contoso.example',NULL,NULL,NULL,NULL,0,0,0,'proof','["2 people wait for a registration report dated after their deadline; the newest is of 2026-01-19T20:00:00Z","A newer registration report ends it."]',NULL,NULL,1769090400000000,NULL,1769090400000000,'sent',1,0,0,NULL,NULL,NULL,'250','',1769090400000000,'<9d98df1d-24fe-5405-8b17-f593590a5bf3@contoso.example>');
CREATE TABLE lines (
    id       BIGINT NOT NULL PRIMARY KEY,
    audience TEXT   NOT NULL CHECK (audience IN ('operators', 'chats')),
    event    TEXT   NOT NULL,
    topic    TEXT   NOT NULL,
    policy   TEXT,
    deadline BIGINT,
    -- Since when a hold stands.
    since    BIGINT,
    line     TEXT   NOT NULL
);
CREATE TABLE IF NOT EXISTS "standings" (
    user_id          TEXT    NOT NULL,
    policy           TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    registered       BOOLEAN NOT NULL,
    -- What a mail may ask of the person; of a database that was there before nothing, until everybody
    -- was decided about again.
    asks             TEXT    CHECK (asks IN ('notice', 'flag', 'thanks')),
    -- The policy is on and reaches the person.
    in_scope         BOOLEAN NOT NULL,
    sequence         BIGINT  NOT NULL DEFAULT 0,
    is_open          BOOLEAN NOT NULL DEFAULT FALSE,
    window_opened_at BIGINT,
    -- Of a window that is not paused. While nobody was told, it is no earlier than the present
    -- plus `window_notice`, which moves on: only a reader knows it.
    window_deadline  BIGINT,
    window_notice    BIGINT,
    -- What was left when the clock stopped.
    window_left      BIGINT,
    bypasses         BIGINT  NOT NULL DEFAULT 0,
    may_skip         BOOLEAN NOT NULL DEFAULT FALSE,
    enforcement      TEXT    CHECK (enforcement IN ('needed', 'would_need', 'released')),
    enforced_at      BIGINT,
    lost_again       BOOLEAN NOT NULL DEFAULT FALSE,
    next_at          BIGINT,
    next_action      TEXT,
    -- Whoever has nothing to remember has none: most of a directory.
    memory           TEXT,
    PRIMARY KEY (user_id, policy)
);
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000000','everyone','due_soon',0,'notice',1,1,1,1767704400000000,1768914000000000,259200000000,NULL,1,1,NULL,NULL,0,1769176800000000,'{"action":"reminder","step":"-1d"}','{"scope":"unremarkable","window":{"open":{"opened_at":"2026-01-06T13:00:00Z","cause":"s00000001-0000-4000-9000-000000000000","span":"PT336H","length":"PT336H","base":"2026-01-20T13:00:00Z","told":null,"untold_since":"2026-01-06T14:00:00Z","moves":0,"notice":"window.opened","begun":true,"retry":false,"messages":3,"dealt":{"0d":"2026-01-06T14:00:00Z","-3d":"2026-01-17T14:00:00Z","-7d":"2026-01-13T14:00:00Z"},"unreachable":null,"bypasses":1,"carried":0,"running_since":null,"must_register":null,"unreported":null}},"sequence":1,"events":3,"enforcement":"none","loss":null,"last_act":0,"closed_by_operator":false,"left_exclusion":null,"enforce":"on"}');
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000001','everyone','due_soon',0,'notice',1,1,1,1767708000000000,1768917600000000,259200000000,NULL,1,1,NULL,NULL,0,1769176800000000,'{"action":"reminder","step":"-1d"}','{"scope":"unremarkable","window":{"open":{"opened_at":"2026-01-06T14:00:00Z","cause":"s00000002-0000-4000-9000-000000000000","span":"PT336H","length":"PT336H","base":"2026-01-20T14:00:00Z","told":null,"untold_since":"2026-01-06T14:00:00Z","moves":0,"notice":"window.opened","begun":true,"retry":false,"messages":3,"dealt":{"0d":"2026-01-06T14:00:00Z","-3d":"2026-01-17T14:00:00Z","-7d":"2026-01-13T14:00:00Z"},"unreachable":null,"bypasses":1,"carried":0,"running_since":null,"must_register":null,"unreported":null}},"sequence":1,"events":3,"enforcement":"none","loss":null,"last_act":0,"closed_by_operator":false,"left_exclusion":null,"enforce":"on"}');
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000002','everyone','overdue_checking',0,'notice',1,1,1,1767711600000000,1768921200000000,NULL,NULL,1,0,NULL,NULL,0,1768921200000000,'{"action":"check_flag"}','{"scope":"unremarkable","window":{"open":{"opened_at":"2026-01-06T15:00:00Z","cause":"s00000003-0000-4000-9000-000000000000","span":"PT336H","length":"PT336H","base":"2026-01-20T15:00:00Z","told":{"at":"2026-01-07T14:00:00Z","deadline":"2026-01-20T15:00:00Z"},"untold_since":"2026-01-07T14:00:00Z","moves":0,"notice":"window.opened","begun":true,"retry":false,"messages":4,"dealt":{"0d":"2026-01-07T14:00:00Z","-1d":"2026-01-19T20:00:00Z","-3d":"2026-01-18T14:00:00Z","-7d":"2026-01-14T14:00:00Z"},"unreachable":null,"bypasses":1,"carried":0,"running_since":null,"must_register":null,"unreported":null}},"sequence":1,"events":4,"enforcement":"none","loss":null,"last_act":0,"closed_by_operator":false,"left_exclusion":null,"enforce":"on"}');
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000003','everyone','overdue_checking',0,'notice',1,1,1,1767715200000000,1768924800000000,NULL,NULL,1,0,NULL,NULL,0,1768924800000000,'{"action":"check_flag"}','{"scope":"unremarkable","window":{"open":{"opened_at":"2026-01-06T16:00:00Z","cause":"s00000004-0000-4000-9000-000000000000","span":"PT336H","length":"PT336H","base":"2026-01-20T16:00:00Z","told":{"at":"2026-01-07T14:00:00Z","deadline":"2026-01-20T16:00:00Z"},"untold_since":"2026-01-07T14:00:00Z","moves":0,"notice":"window.opened","begun":true,"retry":false,"messages":4,"dealt":{"0d":"2026-01-07T14:00:00Z","-1d":"2026-01-19T20:00:00Z","-3d":"2026-01-18T14:00:00Z","-7d":"2026-01-14T14:00:00Z"},"unreachable":null,"bypasses":1,"carried":0,"running_since":null,"must_register":null,"unreported":null}},"sequence":1,"events":4,"enforcement":"none","loss":null,"last_act":0,"closed_by_operator":false,"left_exclusion":null,"enforce":"on"}');
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000004','everyone','registered',1,'thanks',1,1,0,1767718800000000,1768928400000000,NULL,75600000000,1,0,NULL,NULL,0,NULL,NULL,'{"scope":"unremarkable","window":{"closed":{"run":{"opened_at":"2026-01-06T17:00:00Z","cause":"s00000005-0000-4000-9000-000000000000","span":"PT336H","length":"PT336H","base":"2026-01-20T17:00:00Z","told":{"at":"2026-01-07T14:00:00Z","deadline":"2026-01-20T17:00:00Z"},"untold_since":"2026-01-07T14:00:00Z","moves":0,"notice":"window.opened","begun":true,"retry":false,"messages":4,"dealt":{"0d":"2026-01-07T14:00:00Z","-3d":"2026-01-18T14:00:00Z","-7d":"2026-01-14T14:00:00Z"},"unreachable":null,"bypasses":1,"carried":0,"running_since":null,"must_register":null,"unreported":null},"deadline":"2026-01-20T17:00:00Z","at":"2026-01-19T20:00:00Z","remaining":"PT21H"}},"sequence":1,"events":4,"enforcement":"none","loss":null,"last_act":0,"closed_by_operator":false,"left_exclusion":null,"enforce":"on"}');
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000006','everyone','in_grace',0,'notice',1,1,1,1768824000000000,1770033600000000,NULL,NULL,1,1,NULL,NULL,0,1769428800000000,'{"action":"reminder","step":"-7d"}','{"scope":"unremarkable","window":{"open":{"opened_at":"2026-01-19T12:00:00Z","cause":"s00000006-0000-4000-9000-000000000000","span":"PT336H","length":"PT336H","base":"2026-02-02T12:00:00Z","told":{"at":"2026-01-19T20:00:00Z","deadline":"2026-02-02T12:00:00Z"},"untold_since":"2026-01-19T20:00:00Z","moves":0,"notice":"window.opened","begun":true,"retry":false,"messages":1,"dealt":{"0d":"2026-01-19T20:00:00Z"},"unreachable":null,"bypasses":1,"carried":0,"running_since":null,"must_register":null,"unreported":null}},"sequence":1,"events":1,"enforcement":"none","loss":null,"last_act":0,"closed_by_operator":false,"left_exclusion":null,"enforce":"on"}');
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000007','everyone','waiting_first_sign_in',0,NULL,1,0,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000008','everyone','waiting_first_sign_in',0,NULL,1,0,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000009','everyone','waiting_first_sign_in',0,NULL,1,0,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO standings VALUES('00000000-0000-4000-8000-00000000000a','everyone','waiting_first_sign_in',0,NULL,1,0,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO standings VALUES('00000000-0000-4000-8000-00000000000b','everyone','waiting_first_sign_in',0,NULL,1,0,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO standings VALUES('00000000-0000-4000-8000-000000000005','everyone','enforcement_needed',0,'flag',1,1,1,1767618000000000,1768827600000000,NULL,NULL,1,0,'needed',1768831200000000,0,NULL,NULL,'{"scope":"unremarkable","window":{"elapsed":{"opened_at":"2026-01-05T13:00:00Z","cause":"s00000000-0000-4000-9000-000000000000","span":"PT336H","length":"PT336H","base":"2026-01-19T13:00:00Z","told":{"at":"2026-01-05T14:00:00Z","deadline":"2026-01-19T13:00:00Z"},"untold_since":"2026-01-05T14:00:00Z","moves":0,"notice":"window.opened","begun":true,"retry":false,"messages":5,"dealt":{"0d":"2026-01-05T14:00:00Z","-1d":"2026-01-18T14:00:00Z","-3d":"2026-01-16T14:00:00Z","-7d":"2026-01-12T14:00:00Z"},"unreachable":null,"bypasses":1,"carried":0,"running_since":null,"must_register":null,"unreported":null}},"sequence":1,"events":5,"enforcement":{"needed":{"at":"2026-01-19T14:00:00Z"}},"loss":null,"last_act":0,"closed_by_operator":false,"left_exclusion":null,"enforce":"on"}');
CREATE TABLE counts (
    policy   TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    people   BIGINT NOT NULL,
    PRIMARY KEY (policy, state)
);
INSERT INTO counts VALUES('','in_scope',12);
INSERT INTO counts VALUES('everyone','in_grace',1);
INSERT INTO counts VALUES('everyone','waiting_first_sign_in',5);
INSERT INTO counts VALUES('everyone','due_soon',2);
INSERT INTO counts VALUES('everyone','enforcement_needed',1);
INSERT INTO counts VALUES('everyone','registered',1);
INSERT INTO counts VALUES('everyone','overdue_checking',2);
CREATE TABLE counters (
    name TEXT   NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);
INSERT INTO counters VALUES('journal',27);
INSERT INTO counters VALUES('outbox',30);
INSERT INTO counters VALUES('lines',3);
INSERT INTO counters VALUES('acts',1);
INSERT INTO counters VALUES('parts',95);
CREATE TABLE totals (
    name TEXT   NOT NULL PRIMARY KEY,
    rows BIGINT NOT NULL
);
INSERT INTO totals VALUES('queued',26);
INSERT INTO totals VALUES('sign_ins',7);
INSERT INTO totals VALUES('audits',0);
INSERT INTO totals VALUES('sent',20);
INSERT INTO totals VALUES('superseded',4);
CREATE TABLE member_references (
    group_id  TEXT   NOT NULL,
    reference TEXT   NOT NULL,
    state     TEXT   NOT NULL CHECK (state IN ('known', 'new', 'lost', 'nobody')),
    -- Of a new one: when the first users snapshot that lacked it was accepted.
    lacked    BIGINT,
    PRIMARY KEY (group_id, reference)
);
CREATE INDEX registrations_lost ON registrations (user_id)
    WHERE capable_done_as_of IS NOT NULL OR passwordless_done_as_of IS NOT NULL;
CREATE INDEX memberships_by_user ON memberships (user_id);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id);
CREATE INDEX sign_ins_by_age ON sign_ins (at);
CREATE INDEX audits_by_user ON audits (user_id);
CREATE INDEX audits_by_age ON audits (at);
CREATE INDEX acts_by_user ON acts (user_id);
CREATE INDEX journal_by_user ON journal (user_id);
CREATE INDEX journal_by_kind ON journal (kind, at);
CREATE INDEX attempts_by_time ON attempts (destination, started_at);
CREATE INDEX people_unsure ON people (id) WHERE unsure = TRUE;
CREATE INDEX people_gone ON people (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX registrations_absent ON registrations (absent_since) WHERE absent_since IS NOT NULL;
CREATE INDEX outbox_waiting ON outbox (destination, turn, position, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_in_order ON outbox (destination, ordering_key, position) WHERE ordering_key IS NOT NULL AND settled_at IS NULL;
CREATE INDEX outbox_leased ON outbox (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX outbox_by_user ON outbox (user_id);
CREATE INDEX outbox_by_position ON outbox (position);
CREATE INDEX outbox_expiring ON outbox (not_after) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_bodies ON outbox (settled_at) WHERE body IS NOT NULL AND settled_at IS NOT NULL;
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE address IS NOT NULL AND settled_at IS NOT NULL;
CREATE INDEX standings_due ON standings (next_at, user_id, policy) WHERE next_at IS NOT NULL;
CREATE INDEX standings_by_deadline ON standings (window_deadline, user_id, policy) WHERE is_open = TRUE AND window_deadline IS NOT NULL;
CREATE INDEX standings_past ON standings (user_id, policy) WHERE state IN ('overdue_checking', 'enforcement_needed');
CREATE INDEX standings_lost_again ON standings (user_id, policy) WHERE lost_again = TRUE;
CREATE INDEX people_by_mail ON people (LOWER(mail)) WHERE LOWER(mail) <> upn_key;
CREATE INDEX outbox_unsettled ON outbox (state) WHERE settled_at IS NULL;
CREATE INDEX standings_moving ON standings ((window_deadline - window_notice)) WHERE window_notice IS NOT NULL;
CREATE INDEX people_by_name ON people (upn_key);
CREATE INDEX people_by_part ON people (part);
CREATE INDEX registrations_by_part ON registrations (part);
CREATE INDEX registrations_missing ON registrations (user_id) WHERE level <> 'capable';
COMMIT;
