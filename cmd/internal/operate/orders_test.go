package operate

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/sqldb"
)

// orderLog makes a database with orders of binance, account main: of each fate one, and returns its URL.
func orderLog(t *testing.T) string {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "relent.db")
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lease, err := db.Orders().Acquire(t.Context(), order.Scope{Venue: "binance", Account: "main", Prefix: "R"}, "test", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now().Add(-10 * time.Minute)
	add := func(id string, kind order.Kind, key string, line map[string]any) {
		t.Helper()
		begun = begun.Add(time.Second)
		data, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Orders().Append(t.Context(), lease, order.Entry{ID: id, Kind: kind, Key: key, At: begun, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	intent := func(id string, price order.Decimal) {
		terms := order.Terms{Symbol: "BTCUSDT", Side: order.Buy, Type: order.Market, Quantity: "0.5", Price: price}
		add(id, order.KindIntent, "1", map[string]any{"intent": order.Intent{ID: id, Wire: "x-" + id, Terms: terms, Created: begun, Strategy: "mm"}})
	}
	send := func(id string, n int, deadline time.Time) {
		add(id, order.KindSending, fmt.Sprint(n), map[string]any{"event": order.GuardsPassed, "attempt": order.Attempt{N: n, Begun: begun, Deadline: deadline}})
	}
	doubt := func(id string) {
		add(id, order.KindOutcome, "", map[string]any{"event": order.Unproven, "why": "timeout", "answer": order.Answer{N: 1, Outcome: "unknown"}})
	}
	intent("Rrecorded000000000", "50000")
	intent("Runknown0000000000", "")
	send("Runknown0000000000", 1, time.Now().Add(time.Hour))
	doubt("Runknown0000000000")
	intent("Rparked00000000000", "50000")
	send("Rparked00000000000", 1, begun)
	doubt("Rparked00000000000")
	add("Rparked00000000000", order.KindMove, "", map[string]any{"event": order.ReadDue})
	for i, r := range []order.Read{{What: "query", Began: begun, Err: "503"}, {What: "lists", Began: begun, Found: true}, {What: "query", Began: begun}, {What: "fills", Began: begun}} {
		add("Rparked00000000000", order.KindRead, fmt.Sprint(i), map[string]any{"read": r})
	}
	add("Rparked00000000000", order.KindMove, "", map[string]any{"event": order.ProofImpossible, "why": "its reads are spent"})
	intent("Rworking0000000000", "50000")
	send("Rworking0000000000", 1, time.Time{})
	add("Rworking0000000000", order.KindReport, "", map[string]any{"event": order.SeenWorking, "report": order.Report{Wire: "x", VenueID: "77", Status: "working"}, "source": "stream"})
	intent("Rdone0000000000000", "50000")
	add("Rdone0000000000000", order.KindClosed, "", map[string]any{"event": order.GuardFailed, "why": "too old"})
	return url
}

func TestOrders(t *testing.T) {
	t.Parallel()
	of := []string{"--store", orderLog(t), "--venue", "binance", "--account", "main"}
	orders := func(args ...string) string {
		t.Helper()
		code, out, stderr := relent(t, append(append([]string{"orders"}, of...), args...)...)
		if code != 0 {
			t.Fatal(stderr)
		}
		return out
	}
	out := orders()
	has(t, out, "id ", "state", "    its reads are spent; last read: fills ",
		"Rrecorded000000000  recorded", "buy 0.5 BTCUSDT at 50000", "not sent",
		"Runknown0000000000  unknown", "buy 0.5 BTCUSDT market", "in 59m",
		"Rparked00000000000  parked", "passed", "ago, not found", "Rworking0000000000  acked")
	if strings.Contains(out, "Rdone") {
		t.Errorf("an order that is done with is listed:\n%s", out)
	}
	if out = orders("--state", "parked"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "Rparked") {
		t.Errorf("parked:\n%s", out)
	}
	if out = orders("--state", "unknown"); strings.Count(out, "\n") < 2 || !strings.Contains(out, "Runknown") || strings.Contains(out, "Rworking") {
		t.Errorf("unknown:\n%s", out)
	}
	if out = orders("--prefix", "X", "--state", "unknown"); out != "no order of binance, account main, is of unknown outcome; 0 are not done with\n" {
		t.Errorf("none: %s", out)
	}
	m := fields(t, orders("-o", "json", "--state", "parked"))
	parked := m["orders"].([]any)[0].(map[string]any)
	if m["open"] != 4.0 || parked["state"] != "parked" || len(parked["reads"].([]any)) != 3 || parked["why"] != "its reads are spent" {
		t.Errorf("json: %v", m)
	}
	if n := strings.Count(orders("-o", "ndjson"), `{"v":1,"intent":`); n != 4 {
		t.Errorf("ndjson: %d lines of 4", n)
	}
}

// Without a venue and an account it is all that the log has.
func TestOrdersOfAll(t *testing.T) {
	t.Parallel()
	url := orderLog(t)
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	other := order.Scope{Venue: "okx", Account: "second", Prefix: "S"}
	lease, err := db.Orders().Acquire(t.Context(), other, "test", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(map[string]any{"intent": order.Intent{ID: "Sone00000000000000", Terms: order.Terms{Symbol: "ETH-USDT", Side: order.Sell, Type: order.Market, Quantity: "2"}}})
	if err := db.Orders().Append(t.Context(), lease, order.Entry{ID: "Sone00000000000000", Kind: order.KindIntent, Key: "1", At: time.Now(), Data: data}); err != nil {
		t.Fatal(err)
	}
	db.Close()
	orders := func(args ...string) string {
		t.Helper()
		code, out, stderr := relent(t, append([]string{"orders", "--store", url}, args...)...)
		if code != 0 {
			t.Fatal(stderr)
		}
		return out
	}
	has(t, orders(), "binance, account main\n", "Rparked00000000000", "okx, account second\n", "Sone00000000000000")
	has(t, orders("--state", "parked"), "Rparked00000000000", "no order of okx, account second, is parked; 1 is not done with")
	if out := orders("--venue", "okx"); strings.Contains(out, "binance") || !strings.Contains(out, "Sone00000000000000") {
		t.Errorf("of one venue:\n%s", out)
	}
	if out := orders("--account", "main"); strings.Contains(out, "okx") || !strings.Contains(out, "Rparked00000000000") {
		t.Errorf("of one account:\n%s", out)
	}
	if out := orders("--venue", "kraken"); out != "the log has no order of such an account\n" {
		t.Errorf("of none: %s", out)
	}
	m := fields(t, orders("-o", "json"))
	list := m["orders"].([]any)
	if last := list[len(list)-1].(map[string]any)["intent"].(map[string]any); m["open"] != 5.0 || len(list) != 5 || last["venue"] != "okx" || last["account"] != "second" {
		t.Errorf("json: %v", m)
	}
	if n := strings.Count(orders("-o", "ndjson"), `"venue":"binance","account":"main"`); n != 4 {
		t.Errorf("ndjson: %d lines of 4", n)
	}
}

func TestOrdersShow(t *testing.T) {
	t.Parallel()
	of := []string{"--store", orderLog(t), "--venue", "binance", "--account", "main"}
	show := func(id string, args ...string) (int, string, string) {
		return relent(t, append(append([]string{"orders", "show", id}, of...), args...)...)
	}
	_, out, _ := show("Rparked00000000000")
	has(t, out, "order     Rparked00000000000", "wants     buy 0.5 BTCUSDT at 50000", "state     parked\n", "why       its reads are spent",
		"sent      once", "fence     passed", "in doubt  for ", "intent   intent (", "outcome  unproven; timeout; answer (n 1, outcome unknown)", "read     query: failed: 503", "read     lists: found",
		"proof impossible; its reads are spent", "client id x-Rparked00000000000", "relent orders resolve", "BTCUSDT stays closed")
	_, out, _ = show("Rdone0000000000000")
	has(t, out, "abandoned, done with", "fence     not sent", "sent      never")
	_, out, _ = show("Rworking0000000000")
	has(t, out, "venue id    77", "fence       none")
	_, out, _ = show("Rparked00000000000", "-o", "json")
	if m := fields(t, out); len(m["log"].([]any)) != 9 || m["state"] != "parked" {
		t.Errorf("json: %s", out)
	}
	_, out, _ = show("Rparked00000000000", "-o", "ndjson")
	if n := strings.Count(out, `{"v":1,"at":`); n != 9 {
		t.Errorf("ndjson: %d lines of 9", n)
	}
	code, _, stderr := show("Rnone")
	if code != 1 {
		t.Errorf("code %d", code)
	}
	has(t, stderr, "binance, account main, has no order Rnone", "try: relent orders --venue binance --account main")
}

func TestOrdersMistakes(t *testing.T) {
	db := orderLog(t)
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"orders"}, 2, "--store: say where"},
		{[]string{"orders", "show", "x", "--store", db}, 2, "orders show: --venue: say which\n--account: say which"},
		{[]string{"orders", "show"}, 2, "ID is missing"},
		{[]string{"orders", "--state", "odd"}, 2, `--state: "odd" is none of parked, unknown and open`},
		{[]string{"orders", "--venue", "v", "--account", "a", "--store", db + "x"}, 1, "no such file"},
		{[]string{"orders", "--venue", "v", "--account", "a", "--store", "mysql:x"}, 1, "try: the same with --store URL"},
		{[]string{"orders", "--venue", "v", "--account", "a", "-c", write(t, "c", "version: 1\nserver: {store: \""+db+"\"}\n")}, 0, ""},
		{[]string{"orders", "--venue", "v", "--account", "a", "-c", write(t, "c", "version: 2\n")}, 3, "is not valid"},
	} {
		code, _, stderr := relent(t, test.args...)
		if code != test.code {
			t.Errorf("%v: code %d; want %d", test.args, code, test.code)
		}
		has(t, stderr, test.want)
	}
	t.Setenv("RELENT_STORE", db)
	code, out, stderr := relent(t, "orders", "--venue", "v", "--account", "a")
	if code != 0 {
		t.Error(stderr)
	}
	has(t, out, "no order of v, account a, is open; 0 are not done with")
}

// What the machine writes and this does not know is shown as it is.
func TestSaid(t *testing.T) {
	for data, want := range map[string]string{
		`{"event":"guard_failed"}`:      "guard failed",
		`{"why":"x","source":"stream"}`: `x; source stream`,
		`nonsense`:                      "nonsense",
		`{"event":"","fill":{"key":"1","side":"","more":["a",2.5,true]}}`: `fill (key 1, more [a, 2.5, true])`,
	} {
		if got := said([]byte(data)); got != want {
			t.Errorf("said(%s) = %q; want %q", data, got, want)
		}
	}
	if are(1) != "1 is" || sent(2) != "2 times" {
		t.Error(are(1), sent(2))
	}
}
