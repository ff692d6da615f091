package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/chaos"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want []chaos.Rule
	}{
		{"", nil},
		{" ; \n# all quiet\n;", nil},
		{"fail", []chaos.Rule{{Fault: chaos.Fail, Rate: 1}}},
		{"Fail 5%", []chaos.Rule{{Fault: chaos.Fail, Rate: 0.05}}},
		{"apply-then-fail 2.5% on POST /api/v3/order", []chaos.Rule{{Fault: chaos.ApplyThenFail, Rate: 0.025, Op: "POST /api/v3/order"}}},
		{"slow 250ms 10%;cut 0% on read", []chaos.Rule{{Fault: chaos.Slow, Rate: 0.1, Delay: 250 * time.Millisecond}, {Fault: chaos.Cut, Op: "read"}}},
		{"hang from 10s to 40s every 1m on GET /a on b*", []chaos.Rule{{
			Fault: chaos.Hang, Rate: 1, From: 10 * time.Second, To: 40 * time.Second, Every: time.Minute, Op: "GET /a on b*",
		}}},
		{"first fail,pass,apply-then-hang on dial", []chaos.Rule{{Script: []chaos.Fault{chaos.Fail, chaos.Pass, chaos.ApplyThenHang}, Op: "dial"}}},
	} {
		got, err := chaos.Parse(c.text)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.text, got, err, c.want)
		}
		var texts []string
		for _, r := range got {
			texts = append(texts, r.String())
		}
		if again, err := chaos.Parse(strings.Join(texts, "\n")); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q comes back as %+v, %v", texts, again, err)
		}
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	for text, want := range map[string]string{
		"explode":             `"explode" is no fault: there are pass, fail`,
		"first":               "say the faults",
		"first fail,what":     `"what" is no fault`,
		"first fail 5%":       "is no rate",
		"fail 101%":           "is no rate",
		"fail x%":             "is no rate",
		"fail NaN%":           "is no rate",
		"fail soon":           `"soon" is no time`,
		"fail -1s":            `"-1s" is no time`,
		"fail from":           "from: say when",
		"fail to soon":        "to: ",
		"fail from 2s to 1s":  "is not after",
		"fail every 2s":       "needs a to",
		"fail to 3s every 2s": "needs a to",
		"fail on":             "say which operation",
		"on x":                "say what happens",
		"fail 101%;fail;what": `"what" is no fault`,
		strings.Repeat("fail;", chaos.MaxRules+1): "more than 1000",
	} {
		rules, err := chaos.Parse(text)
		if err == nil || rules != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q) = %v, %v; want %s", text, rules, err, want)
		}
	}
	if _, err := chaos.Parse("fail 101%;fail;what"); !strings.Contains(err.Error(), "101") {
		t.Errorf("%v: the first mistake is missing", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("fail 5% on x; slow 1s from 1s to 2s every 3s")
	f.Add("first fail,cut 1s")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := chaos.Parse(text)
		for _, r := range rules {
			again, wrong := chaos.Parse(r.String())
			if err != nil || wrong != nil || len(again) != 1 || again[0].String() != r.String() {
				t.Errorf("%q: %q comes back as %v, %v", text, r, again, wrong)
			}
		}
	})
}

// Rules with times are in force when they say, and only for the operations that they name.
func TestRuleTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules, err := chaos.Parse("fail from 10s to 20s every 1m on a*")
		if err != nil {
			t.Fatal(err)
		}
		i := chaos.New(1, rules...)
		call := chaos.Func(i, "abc", nop)
		var failed []int
		for second := range 90 {
			if _, err := call(t.Context(), 0); err != nil {
				failed = append(failed, second)
			}
			time.Sleep(time.Second)
		}
		want := []int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79}
		if !slices.Equal(failed, want) {
			t.Errorf("failed at %v; want %v", failed, want)
		}
		time.Sleep(45 * time.Second) // 135 s: 15 s into a period
		if _, err := chaos.Func(i, "b", nop)(t.Context(), 0); err != nil {
			t.Errorf("%v: the rule is about others", err)
		}
		i.Set(chaos.Rule{Fault: chaos.Fail, Rate: 1, From: time.Second})
		if _, err := call(t.Context(), 0); err != nil {
			t.Errorf("%v: the time begins when the rules are set", err)
		}
		time.Sleep(time.Hour)
		if _, err := call(t.Context(), 0); err == nil {
			t.Error("without To there is no end")
		}
	})
}

func TestCountsAreBounded(t *testing.T) {
	i := chaos.New(1, chaos.Rule{Fault: chaos.Fail, Rate: 1})
	for n := range chaos.MostCounts + 5 {
		chaos.Func(i, fmt.Sprint(n), nop)(t.Context(), 0)
	}
	counts := i.Counts()
	if len(counts) != chaos.MostCounts+1 || counts[chaos.Count{Op: chaos.Others, Fault: chaos.Fail}] != 5 {
		t.Errorf("%d counts, %d others", len(counts), counts[chaos.Count{Op: chaos.Others, Fault: chaos.Fail}])
	}
}

func TestSwitch(t *testing.T) {
	i := chaos.New(1)
	srv := httptest.NewServer(&chaos.Switch{Injector: i})
	defer srv.Close()
	do := func(method, body string) (int, chaos.Status) {
		t.Helper()
		r, _ := http.NewRequest(method, srv.URL, strings.NewReader(body))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var s chaos.Status
		if resp.StatusCode == http.StatusOK {
			if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
				t.Fatal(err)
			}
		}
		return resp.StatusCode, s
	}
	call := chaos.Func(i, "a", nop)
	if code, s := do("GET", ""); code != 200 || len(s.Rules) != 0 || s.Counts == nil {
		t.Errorf("%d %+v", code, s)
	}
	if code, s := do("PUT", "fail on a\nslow 5% 1s"); code != 200 || !slices.Equal(s.Rules, []string{"fail 100% on a", "slow 5% 1s"}) {
		t.Errorf("%d %+v", code, s)
	}
	if _, err := call(t.Context(), 0); err == nil {
		t.Error("the rule is not in force")
	}
	if code, _ := do("PUT", "explode"); code != http.StatusBadRequest {
		t.Errorf("%d", code)
	}
	if code, _ := do("PUT", strings.Repeat("x", 65<<10)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", code)
	}
	if code, _ := do("POST", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("%d", code)
	}
	chaos.Func(i, "b", nop)(t.Context(), 0)
	if _, s := do("GET", ""); len(s.Rules) != 2 || len(s.Counts) != 2 || s.Counts[0] != (chaos.Counted{Op: "a", Fault: "fail", Count: 1}) {
		t.Errorf("%+v; want the rules as they were, and the counts", s)
	}
	if code, s := do("DELETE", ""); code != 200 || len(s.Rules) != 0 {
		t.Errorf("%d %+v", code, s)
	}
	if _, err := call(t.Context(), 0); err != nil {
		t.Errorf("%v: the faults are switched off", err)
	}
}

func ExampleParse() {
	rules, err := chaos.Parse("apply-then-fail 2% on POST /order; slow 10% 250ms")
	fmt.Println(len(rules), err)
	fmt.Println(rules[0])
	// Output:
	// 2 <nil>
	// apply-then-fail 2% on POST /order
}

func nop(context.Context, int) (int, error) { return 0, nil }
