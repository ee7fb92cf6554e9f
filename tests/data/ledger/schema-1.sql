-- A ledger as usbprov 0.1.0 made it: a job that is done, one that is superseded, one that is open.
BEGIN TRANSACTION;
CREATE TABLE artifact (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	kept DATETIME NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	data BLOB NOT NULL, 
	UNIQUE (job, kind, sha256), 
	FOREIGN KEY(job) REFERENCES job (id)
);
INSERT INTO "artifact" VALUES(1,1,'request','2026-11-29 10:41:45.759960','8737c8f3f545187df4faf2a4839d05216b204a8cd0e658ea4713f1f7650b7694',X'308272657175657374');
INSERT INTO "artifact" VALUES(2,1,'certificate','2026-11-29 10:41:45.762722','b40715c52e4d5dfdca68e3d0374ae11a6bc923c43d9811dc9aaf99282ccdaf3d',X'30826365727469666963617465');
INSERT INTO "artifact" VALUES(3,2,'rejected','2026-11-29 10:41:45.779306','42bf7a798a294ec89e6983716e5cc3d938560c370ead4b5a1169afdd9c854c4c',X'30826F6464');
CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	state VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	updated DATETIME NOT NULL, 
	phone_serial VARCHAR NOT NULL, 
	phone_mac VARCHAR NOT NULL, 
	phone_model VARCHAR NOT NULL, 
	port_path VARCHAR NOT NULL, 
	slot INTEGER NOT NULL, 
	user VARCHAR, 
	extension VARCHAR, 
	web_services_url VARCHAR NOT NULL, 
	registrar VARCHAR, 
	key_source VARCHAR NOT NULL, 
	nonce BLOB NOT NULL, 
	error_code VARCHAR, 
	error VARCHAR
);
INSERT INTO "job" VALUES(1,'done','2026-11-29 10:41:45.683836','2026-11-29 10:41:45.769978','EMU0001','02:00:5e:00:00:01','usbprov EP-100','1-1',0,'sip:alice@contoso.test','1001','https://pool.contoso.test/','pool.contoso.test:5061','phone',X'000102030405060708090A0B0C0D0E0F',NULL,NULL);
INSERT INTO "job" VALUES(2,'superseded','2026-11-29 10:41:45.770950','2026-11-29 10:41:45.784360','EMU0002','02:00:5e:00:00:02','usbprov EP-100','1-1',0,NULL,'1002','https://pool.contoso.test/',NULL,'phone',X'000102030405060708090A0B0C0D0E0F','WEB-04','https://pool.contoso.test/ refused the request: key too small');
INSERT INTO "job" VALUES(3,'open','2026-11-29 10:41:45.784360','2026-11-29 10:41:45.784360','EMU0002','02:00:5e:00:00:02','usbprov EP-100','1-1',0,NULL,'1002','https://pool.contoso.test/',NULL,'phone',X'000102030405060708090A0B0C0D0E0F',NULL,NULL);
CREATE TABLE meta (
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('schema','1');
CREATE TABLE step (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	begun DATETIME NOT NULL, 
	ms INTEGER, 
	learnt VARCHAR, 
	error_code VARCHAR, 
	FOREIGN KEY(job) REFERENCES job (id)
);
INSERT INTO "step" VALUES(1,1,'identify','done','2026-11-29 10:41:45.735328',3,'usbprov EP-100, firmware 1.4.2, MAC 02:00:5e:00:00:01',NULL);
INSERT INTO "step" VALUES(2,1,'ticket','done','2026-11-29 10:41:45.739283',12,'ticket done',NULL);
INSERT INTO "step" VALUES(3,1,'key','done','2026-11-29 10:41:45.744878',12,'key done',NULL);
INSERT INTO "step" VALUES(4,1,'request','done','2026-11-29 10:41:45.747434',12,'request done',NULL);
INSERT INTO "step" VALUES(5,1,'publish','done','2026-11-29 10:41:45.753043',12,'publish done',NULL);
INSERT INTO "step" VALUES(6,2,'publish','failed','2026-11-29 10:41:45.774791',40,'','WEB-04');
INSERT INTO "step" VALUES(7,3,'ticket','begun','2026-11-29 10:41:45.788682',NULL,NULL,NULL);
CREATE INDEX job_by_phone ON job (phone_mac, phone_serial, state);
CREATE INDEX ix_step_job ON step (job);
CREATE INDEX ix_artifact_job ON artifact (job);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('job',3);
INSERT INTO "sqlite_sequence" VALUES('step',7);
INSERT INTO "sqlite_sequence" VALUES('artifact',3);
COMMIT;
