package auditlog

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/relent-go/relent/observe/audit"
)

// A Verdict is what was found out about one chain.
type Verdict struct {
	V     int    `json:"v"`
	Chain string `json:"chain"`
	Sound bool   `json:"sound"`
	From  uint64 `json:"from"` // sequence of the first record
	audit.Report
	FirstBad uint64 `json:"first_bad,omitempty"`
	Why      string `json:"why,omitempty"`
}

// Verify verifies the chains of a store, all of them or the one named, against checkpoints: those of the store, and those from elsewhere. A chain of which there are
// checkpoints, and nothing else, is bad. The error is for what could not be found out.
func Verify(ctx context.Context, s Store, chain string, elsewhere []audit.Checkpoint, trusted []ed25519.PublicKey) ([]Verdict, error) {
	chains, err := s.Chains(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range elsewhere {
		if p.Chain != audit.HeadsChain && !slices.Contains(chains, p.Chain) {
			chains = append(chains, p.Chain)
		}
	}
	if chain != "" {
		if !slices.Contains(chains, chain) {
			return nil, fmt.Errorf("there is no chain %q", chain)
		}
		chains = []string{chain}
	}
	var verdicts []Verdict
	for _, chain := range chains {
		v, err := verify(ctx, s, chain, elsewhere, trusted)
		if err != nil {
			return verdicts, err
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

func verify(ctx context.Context, s Store, chain string, elsewhere []audit.Checkpoint, trusted []ed25519.PublicKey) (v Verdict, err error) {
	v = Verdict{V: 1, Chain: chain}
	points := slices.Clone(elsewhere)
	for after := uint64(0); ; {
		more, err := s.Checkpoints(ctx, chain, after, 0)
		if err != nil {
			return v, err
		}
		if len(more) == 0 {
			break
		}
		points, after = append(points, more...), more[len(more)-1].Sequence
	}
	start, bad := s.Start(chain)
	if bad != nil { // the chain is verified from its first record on, and the damage found there
		start = audit.Head{Chain: chain}
	}
	report, bad := audit.Verify(ctx, s, chain, audit.Verification{Start: start, Checkpoints: points, Trusted: trusted})
	v.Report, v.From, v.Sound = report, start.Sequence+1, bad == nil
	if bad == nil {
		return v, nil
	}
	if b, ok := errors.AsType[*audit.BadError](bad); ok {
		v.FirstBad, v.Why = b.Sequence, b.Why
		if b.Last > b.Sequence {
			v.Why = fmt.Sprintf("or a later one, up to %d: %s", b.Last, b.Why)
		}
		return v, nil
	}
	if errors.Is(bad, audit.ErrUnsigned) {
		v.Why = bad.Error()
		return v, nil
	}
	return v, bad
}

// WriteVerdicts writes a table for people.
func WriteVerdicts(w io.Writer, verdicts []Verdict) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHAIN\tRECORDS\tFROM\tTO\tCHECKPOINTS\tANCHORED TO\tRESULT")
	for _, v := range verdicts {
		result := "sound"
		if !v.Sound {
			result = "BAD: " + Plain(v.Why)
			if v.FirstBad > 0 {
				result = fmt.Sprintf("BAD: first bad sequence %d: %s", v.FirstBad, Plain(v.Why))
			}
		}
		anchored := "-"
		if v.Anchored > 0 {
			anchored = fmt.Sprint(v.Anchored)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", Plain(v.Chain), v.Records, v.From, v.Head.Sequence, v.Checkpoints, anchored, result)
	}
	return t.Flush()
}

// ReadCheckpoints reads a file of checkpoints, one JSON object a line, or that of a directory of audit files.
func ReadCheckpoints(name string) (points []audit.Checkpoint, err error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, "checkpoints.jsonl")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		var p audit.Checkpoint
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil || p.Chain == "" {
			return nil, fmt.Errorf("%s:%d: this is not a checkpoint", name, n)
		}
		points = append(points, p)
	}
	return points, lines.Err()
}

// ParseKey reads a public key (Ed25519): 32 bytes in hexadecimal or base64, or the name of a file that holds that.
func ParseKey(text string) (ed25519.PublicKey, error) {
	if content, err := os.ReadFile(text); err == nil {
		text = string(content)
	}
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if key, err := decode(text); err == nil && len(key) == ed25519.PublicKeySize {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%.80q is neither 32 bytes in hexadecimal or base64, nor a file that holds them", text)
}
