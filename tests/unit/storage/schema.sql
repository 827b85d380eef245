CREATE TABLE attempts (
	seq INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	worker INTEGER, 
	claimed_at INTEGER, 
	started_at INTEGER, 
	ended_at INTEGER NOT NULL, 
	reason SMALLINT NOT NULL, 
	outcome BLOB, 
	late VARCHAR, 
	PRIMARY KEY (seq, attempt)
)
 WITHOUT ROWID
CREATE TABLE audit (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at INTEGER NOT NULL, 
	who VARCHAR NOT NULL, 
	kid VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	door VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	object VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	request_id VARCHAR NOT NULL, 
	"before" VARCHAR NOT NULL, 
	"after" VARCHAR NOT NULL
)
CREATE TABLE batches (
	seq INTEGER NOT NULL, 
	batch VARCHAR(128) NOT NULL, 
	PRIMARY KEY (seq)
)
CREATE INDEX batches_tasks ON batches (batch, seq)
CREATE TABLE controls (
	scope VARCHAR(8) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	paused SMALLINT NOT NULL, 
	note VARCHAR NOT NULL, 
	concurrency INTEGER, 
	rate_count INTEGER, 
	rate_period INTEGER, 
	key_rate_count INTEGER, 
	key_rate_period INTEGER, 
	changed_at INTEGER NOT NULL, 
	changed_by VARCHAR NOT NULL, 
	max_queued INTEGER, 
	PRIMARY KEY (scope, name)
)
 WITHOUT ROWID
CREATE TABLE dependants (
	parent INTEGER NOT NULL, 
	child INTEGER NOT NULL, 
	run_anyway SMALLINT NOT NULL, 
	PRIMARY KEY (parent, child)
)
 WITHOUT ROWID
CREATE INDEX dependants_child ON dependants (child)
CREATE TABLE idempotency (
	idempotency_key VARCHAR(512) NOT NULL, 
	task_id BLOB NOT NULL, 
	fingerprint BLOB NOT NULL, 
	expires_at INTEGER NOT NULL, 
	PRIMARY KEY (idempotency_key)
)
 WITHOUT ROWID
CREATE INDEX idempotency_expiry ON idempotency (expires_at)
CREATE TABLE labels (
	name VARCHAR(128) NOT NULL, 
	value VARCHAR(512) NOT NULL, 
	seq INTEGER NOT NULL, 
	PRIMARY KEY (name, value, seq)
)
 WITHOUT ROWID
CREATE INDEX labels_named ON labels (name, seq)
CREATE INDEX labels_task ON labels (seq)
CREATE TABLE lanes (
	number INTEGER NOT NULL, 
	method VARCHAR(128) NOT NULL, 
	"group" VARCHAR(128), 
	version INTEGER, 
	target VARCHAR(128), 
	"key" VARCHAR(512), 
	PRIMARY KEY (number)
)
CREATE TABLE logs (
	number INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	level INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	PRIMARY KEY (number)
)
CREATE INDEX logs_of_task ON logs (seq, number)
CREATE TABLE marks (
	name VARCHAR(32) NOT NULL, 
	value INTEGER NOT NULL, 
	PRIMARY KEY (name)
)
 WITHOUT ROWID
CREATE TABLE methods (
	name VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	declaration BLOB NOT NULL, 
	UNIQUE (name, version)
)
CREATE TABLE order_keys (
	seq INTEGER NOT NULL, 
	order_key VARCHAR(512) NOT NULL, 
	waiting SMALLINT NOT NULL, 
	PRIMARY KEY (seq)
)
CREATE INDEX order_keys_line ON order_keys (order_key, waiting, seq)
CREATE TABLE points (
	at INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	submitted INTEGER NOT NULL, 
	finished INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	rescued INTEGER NOT NULL, 
	ready INTEGER NOT NULL, 
	running INTEGER NOT NULL, 
	scheduled INTEGER NOT NULL, 
	waiting INTEGER NOT NULL, 
	workers INTEGER NOT NULL, 
	wait_p50 INTEGER NOT NULL, 
	wait_p99 INTEGER NOT NULL, 
	run_p50 INTEGER NOT NULL, 
	run_p99 INTEGER NOT NULL, 
	PRIMARY KEY (at)
)
CREATE TABLE progress (
	seq INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	share FLOAT NOT NULL, 
	note VARCHAR NOT NULL, 
	PRIMARY KEY (seq)
)
CREATE TABLE schema_version (
	version_num VARCHAR(32) NOT NULL, 
	PRIMARY KEY (version_num)
)
CREATE TABLE task_keys (
	seq INTEGER NOT NULL, 
	unique_key VARCHAR(512), 
	order_key VARCHAR(512), 
	PRIMARY KEY (seq)
)
CREATE TABLE tasks (
	seq INTEGER NOT NULL, 
	id BLOB NOT NULL, 
	lane INTEGER NOT NULL, 
	state SMALLINT NOT NULL, 
	reason SMALLINT NOT NULL, 
	line INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	rescues INTEGER NOT NULL, 
	due_at INTEGER, 
	expire_at INTEGER, 
	worker INTEGER, 
	claimed_at INTEGER, 
	started_at INTEGER, 
	ended_at INTEGER, 
	created_at INTEGER NOT NULL, 
	outcome BLOB, 
	spec BLOB NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT state_known CHECK (state BETWEEN 1 AND 8), 
	CONSTRAINT ended_has_its_instant CHECK ((state >= 5) = (ended_at IS NOT NULL)), 
	CONSTRAINT running_is_leased CHECK (state <> 4 OR worker IS NOT NULL), 
	CONSTRAINT has_its_time CHECK (state IN (1, 3) OR due_at IS NOT NULL), 
	UNIQUE (id)
)
CREATE INDEX tasks_due ON tasks (state, due_at) WHERE due_at IS NOT NULL
CREATE INDEX tasks_expiring ON tasks (expire_at) WHERE expire_at IS NOT NULL AND state <= 3
CREATE INDEX tasks_passing ON tasks (lane) WHERE lane < 0
CREATE INDEX tasks_ready ON tasks (lane, line) WHERE state = 3
CREATE TABLE tokens (
	kid VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	digest BLOB NOT NULL, 
	roles BLOB NOT NULL, 
	groups BLOB, 
	created_at INTEGER NOT NULL, 
	created_by VARCHAR NOT NULL, 
	expires_at INTEGER, 
	last_used_at INTEGER, 
	revoked_at INTEGER, 
	PRIMARY KEY (kid)
)
 WITHOUT ROWID
CREATE UNIQUE INDEX tokens_live_name ON tokens (name) WHERE revoked_at IS NULL
CREATE TABLE unique_keys (
	unique_key VARCHAR(512) NOT NULL, 
	seq INTEGER NOT NULL, 
	PRIMARY KEY (unique_key)
)
 WITHOUT ROWID
CREATE TABLE workers (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(128) NOT NULL, 
	facts BLOB NOT NULL, 
	methods BLOB NOT NULL, 
	registered_at INTEGER NOT NULL, 
	seen_at INTEGER NOT NULL, 
	gone_at INTEGER, 
	gone_reason VARCHAR NOT NULL, 
	UNIQUE (id)
)
