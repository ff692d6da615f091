package sqldb

import (
	"context"
	"fmt"
)

// migrations are the steps from one version of the tables to the next. Once released, a step is not
// changed any more.
var migrations = [][]*query{
	1: {
		newQuery(`CREATE TABLE relent_idempotency (
			key         {blob} NOT NULL PRIMARY KEY,
			owner       {blob} NOT NULL,
			fingerprint {blob} NOT NULL,
			fence       BIGINT NOT NULL,
			ended       SMALLINT NOT NULL, -- 0 not, as far as is known; 1 completed; 2 released
			deadline    BIGINT NOT NULL,   -- of the lease until it ended, then of the retention
			retain      BIGINT NOT NULL,
			result      {blob}
		)`),
		newQuery(`CREATE INDEX relent_idempotency_deadline ON relent_idempotency (ended, deadline)`),
		newQuery(`CREATE TABLE relent_audit (
			chain     {text} NOT NULL,
			sequence  BIGINT NOT NULL,
			id        {blob} NOT NULL,
			at        BIGINT NOT NULL, -- as in the body
			body      {blob} NOT NULL,
			hash      {blob} NOT NULL,
			PRIMARY KEY (chain, sequence),
			UNIQUE (chain, id)
		) {clustered}`),
		newQuery(`CREATE TABLE relent_checkpoint (
			chain     {text} NOT NULL,
			sequence  BIGINT NOT NULL,
			hash      {blob} NOT NULL,
			at        BIGINT NOT NULL,
			signer    {blob},
			signature {blob},
			PRIMARY KEY (chain, sequence)
		)`),
		newQuery(`CREATE TABLE relent_job (
			id       {text} NOT NULL PRIMARY KEY,
			kind     {text} NOT NULL,
			payload  {blob},
			status   SMALLINT NOT NULL, -- 0 waiting, 1 running, 2 done, 3 failed, 4 abandoned, 5 unknown
			due      BIGINT NOT NULL,   -- if running, the end of the lease; if ended, when
			fence    BIGINT NOT NULL,
			attempts BIGINT NOT NULL,
			tries    BIGINT NOT NULL,   -- numbers the history
			began    BIGINT NOT NULL,   -- when first taken; 0 for not yet
			seq      BIGINT NOT NULL,
			step     BIGINT NOT NULL,
			open     SMALLINT NOT NULL,
			state    {blob}
		)`),
		newQuery(`CREATE INDEX relent_job_due ON relent_job (kind, due) WHERE status < 2`),
		newQuery(`CREATE INDEX relent_job_ended ON relent_job (due) WHERE status IN (2, 4)`),
		newQuery(`CREATE TABLE relent_job_attempt (
			id     {text} NOT NULL REFERENCES relent_job (id) ON DELETE CASCADE,
			number BIGINT NOT NULL,
			fence  BIGINT NOT NULL,
			worker {text} NOT NULL,
			began  BIGINT NOT NULL,
			ended  BIGINT NOT NULL, -- 0 for not reported
			how    SMALLINT NOT NULL,
			err    {text} NOT NULL,
			class  SMALLINT NOT NULL,
			seq    BIGINT NOT NULL,
			PRIMARY KEY (id, number)
		)`),
	},
	2: {
		newQuery(`CREATE TABLE relent_order_writer (
			venue   {blob} NOT NULL,
			account {blob} NOT NULL,
			prefix  {blob} NOT NULL,
			owner   {blob} NOT NULL, -- empty: released
			token   BIGINT NOT NULL,
			ends    BIGINT NOT NULL,
			PRIMARY KEY (venue, account, prefix)
		)`),
		newQuery(`CREATE TABLE relent_order (
			seq     {serial} PRIMARY KEY,
			venue   {blob} NOT NULL,
			account {blob} NOT NULL,
			id      {blob} NOT NULL,
			kind    {blob} NOT NULL,
			key     {blob},          -- NULL: any number of the kind
			at      BIGINT NOT NULL, -- by the venue's clock
			data    {blob} NOT NULL,
			ended   BIGINT,          -- of an intent's first entry; 0: not closed
			UNIQUE (venue, account, id, kind, key)
		)`),
		newQuery(`CREATE INDEX relent_order_first ON relent_order (venue, account, id) WHERE ended IS NOT NULL`),
		newQuery(`CREATE INDEX relent_order_ended ON relent_order (ended) WHERE ended > 0`),
	},
	3: {
		newQuery(`CREATE TABLE relent_document (
			name    {blob} NOT NULL PRIMARY KEY,
			version BIGINT NOT NULL,
			body    {blob} NOT NULL
		)`),
	},
}

// version is that of the tables this program needs.
var version = int64(len(migrations) - 1)

var (
	schemaCreate  = newQuery(`CREATE TABLE IF NOT EXISTS relent_schema (version BIGINT NOT NULL, at BIGINT NOT NULL)`)
	schemaVersion = newQuery(`SELECT coalesce(max(version), 0) FROM relent_schema`)
	schemaTouch   = newQuery(`UPDATE relent_schema SET version = version`)
	schemaAdd     = newQuery(`INSERT INTO relent_schema (version, at) VALUES ($1, {now})`)
)

// migrate brings the tables up to date, in a transaction that only one process has at a time.
func migrate(ctx context.Context, s session, where string) error {
	if _, err := s.exec(ctx, schemaCreate); err != nil {
		return err
	}
	var has int64
	if _, err := s.row(ctx, schemaVersion, nil, &has); err != nil {
		return err
	}
	if has > version {
		return fault(where, ErrNewerSchema, fmt.Errorf("version %d, and this program knows %d", has, version))
	}
	for v := has + 1; v <= version; v++ {
		for _, q := range migrations[v] {
			if _, err := s.exec(ctx, q); err != nil {
				return err
			}
		}
		if _, err := s.exec(ctx, schemaAdd, v); err != nil {
			return err
		}
	}
	_, err := s.exec(ctx, schemaTouch) // what cannot be written is refused here, and not when the first order comes
	return err
}
