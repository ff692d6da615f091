package audit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/observe/audit/audittest"
)

// The names of tests say which vectors of the specification they are.
func TestK15K16Chain(t *testing.T) {
	hash := audit.Genesis
	for _, test := range []struct{ text, want string }{
		{`{"action":"stop","actor":"ops1","scope":"global","seq":1}`, "e1d37f7069fccc12715a81a351d838a7fe1bbb08a4786728f32f2b01468f4dec"},
		{`{"action":"resume","actor":"ops2","scope":"global","seq":2}`, "9a07a4c02b9ccd937b6d46fa0e5115e25a793b7df0216c617bd49777ffa44bc6"},
	} {
		body, err := audit.Canonical([]byte(test.text))
		if hash = audit.Next(hash, body); err != nil || hash.String() != test.want {
			t.Errorf("%s has hash %v, %v; want %s", test.text, hash, err, test.want)
		}
	}
}

// trusted signs, and forger does, too.
var (
	trusted = ed25519.NewKeyFromSeed([]byte(strings.Repeat("t", 32)))
	forger  = ed25519.NewKeyFromSeed([]byte(strings.Repeat("f", 32)))
)

func public(k ed25519.PrivateKey) []ed25519.PublicKey {
	return []ed25519.PublicKey{k.Public().(ed25519.PublicKey)}
}

// written returns files with 30 records in one chain, in several segments, and checkpoints at 10, 20 and 30.
func written(t *testing.T) (dir string, points []audit.Checkpoint) {
	t.Helper()
	dir = t.TempDir()
	f := openFile(t, dir, audit.FileOptions{SegmentBytes: 2000})
	for i := 0; i < 30; i += 5 {
		h, err := f.Append(t.Context(), "n", audittest.Records(fmt.Sprint("r", i), 5))
		if err != nil {
			t.Fatal(err)
		}
		if h.Sequence%10 == 0 {
			points = append(points, audit.Sign(trusted, h, time.Now()))
		}
	}
	f.Close()
	if len(segments(t, dir, "n")) < 3 {
		t.Fatal("too few segments for this test")
	}
	return dir, points
}

// firstBad verifies the files offline.
func firstBad(t *testing.T, dir string, points []audit.Checkpoint) (sequence uint64, err error) {
	t.Helper()
	_, err = audit.Verify(t.Context(), &audit.Segments{Dir: dir}, "n", audit.Verification{Checkpoints: points, Trusted: public(trusted)})
	if bad, ok := errors.AsType[*audit.BadError](err); ok {
		return bad.Sequence, err
	}
	return 0, err
}

// place is a line of a segment that holds a record.
type located struct {
	file       string
	begin, end int // of the line, with its line feed
}

// locate finds the records in the files.
func locate(t *testing.T, dir string) (lines []located) {
	for _, name := range segments(t, dir, "n") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		offset := 0
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, `{"hash"`) {
				lines = append(lines, located{name, offset, offset + len(line)})
			}
			offset += len(line)
		}
	}
	return lines
}

// edit replaces a part of a file until the test, or the function that it returns, ends.
func edit(t *testing.T, name string, begin, end int, by string) (undo func()) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(string(text[:begin])+by+string(text[end:])), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() { os.WriteFile(name, text, 0o600) }
}

func read(t *testing.T, l located) string {
	text, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[l.begin:l.end])
}

func TestK17FlippedBits(t *testing.T) {
	dir, points := written(t)
	if bad, err := firstBad(t, dir, points); err != nil {
		t.Fatal(bad, err)
	}
	lines := locate(t, dir)
	for i, l := range lines {
		if i != 0 && i != 14 && i != len(lines)-1 {
			continue
		}
		line := read(t, l)
		for at := 0; at < len(line); at++ {
			for bit := range 8 {
				if bit != at%8 && os.Getenv("RELENT_SOAK") == "" {
					continue
				}
				flipped := line[:at] + string([]byte{line[at] ^ 1<<bit}) + line[at+1:]
				undo := edit(t, l.file, l.begin, l.end, flipped)
				if bad, err := firstBad(t, dir, points); bad != uint64(i+1) {
					t.Fatalf("bit %d of byte %d of record %d flipped: first bad is %d, %v\n%s", bit, at, i+1, bad, err, flipped)
				}
				undo()
			}
		}
	}
	for _, name := range segments(t, dir, "n") { // the first lines
		text, _ := os.ReadFile(name)
		size := strings.Index(string(text), "\n") + 1
		for at := range size {
			undo := edit(t, name, at, at+1, string([]byte{text[at] ^ 4}))
			if bad, err := firstBad(t, dir, points); bad == 0 {
				t.Fatalf("byte %d of the first line of %s changed, and nothing is found: %v", at, name, err)
			}
			undo()
		}
	}
}

func TestK17RecordsMoved(t *testing.T) {
	dir, points := written(t)
	lines := locate(t, dir)
	for i, l := range lines {
		undo := edit(t, l.file, l.begin, l.end, "")
		if bad, err := firstBad(t, dir, points); bad != uint64(i+1) {
			t.Errorf("record %d dropped: first bad is %d, %v", i+1, bad, err)
		}
		undo()
		undo = edit(t, l.file, l.end, l.end, read(t, l))
		if bad, err := firstBad(t, dir, points); bad != uint64(i+2) {
			t.Errorf("record %d duplicated: first bad is %d, %v", i+1, bad, err)
		}
		undo()
		if i+1 < len(lines) && lines[i+1].file == l.file {
			undo = edit(t, l.file, l.begin, lines[i+1].end, read(t, lines[i+1])+read(t, l))
			if bad, err := firstBad(t, dir, points); bad != uint64(i+1) {
				t.Errorf("records %d and %d swapped: first bad is %d, %v", i+1, i+2, bad, err)
			}
			undo()
		}
		if i > 0 {
			text, _ := os.ReadFile(l.file)
			undo = edit(t, l.file, l.begin, len(text), "")
			bad, err := firstBad(t, dir, points)
			if undo(); bad != uint64(i+1) && l.file == lines[len(lines)-1].file {
				t.Errorf("the tail from record %d on cut off: first bad is %d, %v", i+1, bad, err)
			}
			if bad != uint64(i+1) {
				t.Errorf("the rest of a segment from record %d on cut off: first bad is %d, %v", i+1, bad, err)
			}
		}
	}
}

// Everything computed anew, with keys and hashes right: only a checkpoint elsewhere shows that.
func TestK17Rewritten(t *testing.T) {
	dir, points := written(t)
	other := t.TempDir()
	f := openFile(t, other, audit.FileOptions{})
	s := &audit.Segments{Dir: dir}
	records, _, err := s.Query(t.Context(), audit.Filter{}, audit.Cursor{}, 0)
	if err != nil || len(records) != 30 {
		t.Fatal(len(records), err)
	}
	records[16].Actor = "somebody else"
	if _, err := f.Append(t.Context(), "n", records); err != nil {
		t.Fatal(err)
	}
	_, err = audit.Verify(t.Context(), f, "n", audit.Verification{Checkpoints: points, Trusted: public(trusted)})
	bad, ok := errors.AsType[*audit.BadError](err)
	if !ok || bad.Sequence != 11 || bad.Last != 20 || !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Verify of a chain rewritten at 17 = %v; want one of 11 to 20", err)
	}
	if _, err = audit.Verify(t.Context(), f, "n", audit.Verification{}); err != nil {
		t.Errorf("Verify without checkpoints = %v, and nobody could know", err)
	}
	// A forged checkpoint does not help.
	heads, _ := f.Heads(t.Context())
	forged := audit.Sign(forger, heads[0], time.Now())
	if _, err = audit.Verify(t.Context(), f, "n", audit.Verification{Checkpoints: []audit.Checkpoint{forged}, Trusted: public(trusted)}); !errors.Is(err, audit.ErrUnsigned) {
		t.Errorf("Verify with a forged checkpoint = %v; want %v", err, audit.ErrUnsigned)
	}
	forged.Key = points[0].Key
	if err := forged.Check(public(trusted)...); !errors.Is(err, audit.ErrUnsigned) {
		t.Errorf("Check of a checkpoint with another's key = %v", err)
	}
}

func TestK29Payload(t *testing.T) {
	payload := strings.Repeat("x", 1<<20)
	ctx := audit.With(t.Context(), audit.Who{Payload: []byte(payload), Key: payload, Actor: payload})
	s := kept(t)
	l := started(t, &audit.Log{Store: s})
	l.Observe(ctx, finished(orders, 3))
	if err := l.Record(t.Context(), audit.Record{Decision: audit.Stop, Why: payload, Rule: strings.Repeat("\x00", 1<<20), Scope: payload, Validation: payload, Payload: payload}); err != nil {
		t.Fatal(err)
	}
	links, err := s.Links(t.Context(), "main", 2, 0) // after the one that warms up
	if err != nil || len(links) != 2 {
		t.Fatal(len(links), err)
	}
	for _, link := range links {
		if len(link.Body) > 4<<10 || strings.Contains(string(link.Body), strings.Repeat("x", 600)) {
			t.Errorf("a record of %d bytes: %s", len(link.Body), link.Body)
		}
	}
	r, _ := audit.ParseRecord(links[0].Body)
	if r.Payload != audit.Digest(payload) || r.Key != audit.Digest(payload) {
		t.Errorf("payload %s, key %s; want %s", r.Payload, r.Key, audit.Digest(payload))
	}
}

func TestCanonical(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"RFC 8785, 3.2.2", `{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
			"{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
		{"RFC 8785, 3.2.3: names by UTF-16", `{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{"escapes", `"\b\t\n\f\r\u0000\u001f\u007f<>&\u2028 é"`, "\"\\b\\t\\n\\f\\r\\u0000\\u001f\u007f<>&\u2028 é\""},
		{"spaces", " [ 1 , { \"b\" : { } , \"a\" : [ ] } ] \n", `[1,{"a":[],"b":{}}]`},
		{"minus zero", `[-0,0.0,-0e5]`, `[0,0,0]`},
		{"an escaped backslash before u", `"\\ud800"`, `"\\ud800"`},
		{"a replacement character", "\"\uFFFD\"", "\"\uFFFD\""},
	} {
		got, err := audit.Canonical([]byte(test.text))
		if err != nil || string(got) != test.want {
			t.Errorf("%s: Canonical = %s, %v; want %s", test.name, got, err, test.want)
		}
	}
	for _, bad := range []string{"", "nul", "{", "[", `{"a"}`, `{"a":`, `{"a":1`, `{"a":1,}`, `[1`, `[1,`, `[1 2]`, "1 2", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "1e999", "\"\xff\"", `"\ud800"`, `"\udc00"`, `"\ud800\u0041"`, `"\ud800x"`, `"\ud8zz"`, `"\u00"`, `{1:2}`, `{"a":nul}`, strings.Repeat("[", 1001) + strings.Repeat("]", 1001)} {
		if got, err := audit.Canonical([]byte(bad)); err == nil {
			t.Errorf("Canonical(%.40s) = %s; want an error", bad, got)
		}
	}
}

// RFC 8785, appendix B.
func TestCanonicalNumbers(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992", 0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334", 0x41b3de4355555557: "333333333.33333343", 0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		text, _ := json.Marshal(math.Float64frombits(bits))
		if got, err := audit.Canonical(text); err != nil || string(got) != want {
			t.Errorf("Canonical(%s) = %s, %v; want %s", text, got, err, want)
		}
	}
}

// What a record writes by itself is what the general way makes of it.
func FuzzRecord(f *testing.F) {
	f.Add("id", "why\x00\"", int64(5), 0.1, uint64(3))
	f.Add("\xff", "😀\u2028", int64(-1<<60), math.Inf(1), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, id, why string, n int64, budget float64, u uint64) {
		r := audit.Record{
			ID: id, Why: why, Rule: id + why, Actor: why, Decision: audit.Deny, Time: time.Unix(n%1e10, n%1e9), Mono: time.Duration(n), Delay: time.Duration(-n),
			Cost: n, Attempt: int(n), BudgetAfter: &budget, Epoch: u, Count: u, Sequence: u, Chain: "n", Key: why, Payload: audit.Digest(id),
		}.Bounded()
		if year := r.Time.Year(); id == "" || year < 1 || year > 9999 {
			return
		}
		if err := r.Check(); err != nil {
			t.Fatalf("Bounded left mistakes: %v\n%+v", err, r)
		}
		body := r.AppendJSON(nil)
		general, err := audit.Canonical(body)
		if err != nil || string(general) != string(body) {
			t.Errorf("AppendJSON wrote\n%s\nwhich is not canonical: %v\n%s", body, err, general)
		}
		plain, _ := json.Marshal(r)
		if general, err = audit.Canonical(plain); err != nil || string(general) != string(body) {
			t.Errorf("AppendJSON wrote\n%s\njson.Marshal and Canonical\n%s, %v", body, general, err)
		}
		back, err := audit.ParseRecord(body)
		if err != nil || string(back.AppendJSON(nil)) != string(body) {
			t.Errorf("%s\nwas read back as\n%s, %v", body, back.AppendJSON(nil), err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1e3,-0],"a":"\ud83d\ude00"}`))
	f.Add([]byte(`{"a":{"a":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := audit.Canonical(text)
		if err != nil {
			return
		}
		twice, err := audit.Canonical(once)
		if err != nil || string(twice) != string(once) {
			t.Errorf("Canonical(%q) = %q, and of that = %q, %v", text, once, twice, err)
		}
		var a, b any
		if json.Unmarshal(text, &a) != nil || json.Unmarshal(once, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("Canonical(%q) = %q, which means something else: %v, %v", text, once, a, b)
		}
	})
}

func TestMerkle(t *testing.T) {
	var heads []audit.Head
	for n := range 20 {
		tree := audit.NewTree(heads)
		root := tree.Head()
		if root.Sequence != uint64(n) || root.Chain != audit.HeadsChain {
			t.Errorf("Head of a tree of %d = %v", n, root)
		}
		for _, h := range heads {
			p, ok := tree.Prove(h.Chain)
			if !ok || p.Head != h || p.Verify(root) != nil {
				t.Fatalf("%d heads: proof for %s is %+v, %v", n, h.Chain, p, p.Verify(root))
			}
			for spoil, f := range map[string]func(*audit.Proof){
				"hash":     func(p *audit.Proof) { p.Head.Hash[3] ^= 1 },
				"sequence": func(p *audit.Proof) { p.Head.Sequence++ },
				"chain":    func(p *audit.Proof) { p.Head.Chain += "x" },
				"size":     func(p *audit.Proof) { p.Size++ },
				"index":    func(p *audit.Proof) { p.Index = p.Size },
				"longer":   func(p *audit.Proof) { p.Path = append(slices.Clone(p.Path), audit.Hash{}) },
				"shorter":  func(p *audit.Proof) { p.Path = p.Path[:max(0, len(p.Path)-1)]; p.Head.Hash[0]++ },
			} {
				q := p
				f(&q)
				if err := q.Verify(root); !errors.Is(err, audit.ErrProof) {
					t.Errorf("%d heads, %s: Verify of a spoilt proof (%s) = %v", n, h.Chain, spoil, err)
				}
			}
		}
		if _, ok := tree.Prove("nowhere"); ok {
			t.Error("a proof for a chain that is not there")
		}
		heads = append(heads, audit.Head{Chain: fmt.Sprintf("n%02d", 19-n), Sequence: uint64(n), Hash: audit.Hash{byte(n)}})
	}
	one := audit.NewTree([]audit.Head{{Chain: "n", Sequence: 7}}).Head().Hash
	if want := sha256.Sum256([]byte("\x00" + `{"chain":"n","hash":"` + audit.Genesis.String() + `","sequence":7}`)); one != want {
		t.Errorf("root of one head = %v; want %x (RFC 9162, 2.1.1)", one, want)
	}
	p, _ := audit.NewTree(heads[16:]).Prove("n00") // of four
	p.Path = p.Path[:1]
	if err := p.Verify(audit.Head{Chain: audit.HeadsChain, Sequence: 4, Hash: audit.NewTree(heads[18:]).Head().Hash}); !errors.Is(err, audit.ErrProof) {
		t.Errorf("Verify of half of a path, with the root of half of the tree = %v", err)
	}
	if got := audit.NewTree(nil).Head().Hash.String(); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("root of no heads = %s; want the hash of nothing (RFC 9162, 2.1.1)", got)
	}
}
