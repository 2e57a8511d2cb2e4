"""Formats of tokens that detect-secrets does not know: kind, keywords, pattern.

Each has a fixed beginning that its vendor chose so that it can be recognised, and a fixed alphabet.
Every repetition is bounded, so that a line takes linear time. The public rules of gitleaks (MIT)
served as the list of vendors to look at; the patterns are our own.
"""

from __future__ import annotations

_E = r"(?![A-Za-z0-9_])"
_WORD = "[A-Za-z0-9]"
_URL = "[A-Za-z0-9_-]"
_HEX = "[0-9a-f]"


def _format(kind: str, keywords: str, pattern: str) -> tuple[str, tuple[str, ...], str]:
    return (
        kind,
        tuple(keywords.split()),
        f"(?:{pattern}){_E}" if "|" in pattern else f"{pattern}{_E}",
    )


FORMATS = (
    # narrower than in detect-secrets, or bounded
    _format("OpenAI key", "t3blbkfj", rf"sk-{_URL}{{0,200}}T3BlbkFJ{_URL}{{20}}"),
    _format("npm token", "_authtoken", r"_authToken\s{0,4}=\s{0,4}['\"]?[A-Za-z0-9+/=_.-]{20,400}"),
    _format("Telegram bot token", ":aa", rf"\d{{8,10}}:AA{_URL}{{33}}"),
    _format("Twilio key", "sk", rf"SK{_HEX}{{32}}"),
    _format(
        "AWS access key",
        "akia asia abia acca a3t",
        r"(?<!/)(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z2-7]{16}(?![/+=])",
    ),
    _format(
        "AWS secret key",
        "aws",
        r"(?i:aws_?secret(?:_?access)?_?key)['\"]?\s{0,8}[:=]\s{0,8}['\"]?[A-Za-z0-9/+]{40}(?![/+=])",
    ),
    # models
    _format("Anthropic key", "sk-ant-", rf"sk-ant-[a-z]{{3,8}}\d\d-{_URL}{{40,200}}"),
    _format(
        "OpenAI key", "sk-", rf"sk-(?:proj|svcacct|admin|None)-{_URL}{{40,250}}|sk-{_WORD}{{48}}"
    ),
    _format("OpenRouter key", "sk-or-", rf"sk-or-v\d-{_HEX}{{64}}"),
    _format("DeepSeek or Moonshot key", "sk-", rf"sk-(?:{_HEX}{{32}}|{_WORD}{{48}})"),
    _format(
        "Langfuse key",
        "sk-lf-",
        rf"sk-lf-{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
    ),
    _format("LangSmith key", "lsv2_", rf"lsv2_(?:pt|sk)_{_HEX}{{32}}_{_HEX}{{10}}"),
    _format("Hugging Face token", "hf_ api_org_", rf"hf_{_WORD}{{34,40}}|api_org_{_WORD}{{34}}"),
    _format("xAI key", "xai-", rf"xai-{_WORD}{{70,100}}"),
    _format("Groq key", "gsk_", rf"gsk_{_WORD}{{52}}"),
    _format("Perplexity key", "pplx-", rf"pplx-{_WORD}{{40,64}}"),
    _format("Replicate token", "r8_", rf"r8_{_WORD}{{37}}"),
    _format("NVIDIA key", "nvapi-", rf"nvapi-{_URL}{{60,80}}"),
    _format("Cerebras key", "csk-", rf"csk-{_WORD}{{48}}"),
    _format("Tavily key", "tvly-", rf"tvly-(?:dev-|prod-)?{_WORD}{{32}}"),
    # clouds
    _format("Google API key", "aiza", rf"AIza{_URL}{{35}}"),
    _format("Google OAuth secret", "gocspx-", rf"GOCSPX-{_URL}{{28}}"),
    _format("Google OAuth token", "ya29. 1//0", rf"ya29\.{_URL}{{40,2000}}|1//0{_URL}{{40,200}}"),
    _format("Azure client secret", "q~", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
    _format("Azure shared access signature", "sig=", r"sig=[A-Za-z0-9%/+]{43,60}(?:%3[dD]|=)"),
    _format("Azure shared key", "sharedaccesskey=", r"SharedAccessKey=[A-Za-z0-9/+]{43}="),
    _format("Alibaba Cloud key", "ltai", rf"LTAI{_WORD}{{20}}"),
    _format("DigitalOcean token", "_v1_", rf"do[opr]_v1_{_HEX}{{64}}"),
    _format("Cloudflare key", "v1.0-", rf"v1\.0-{_HEX}{{24}}-{_HEX}{{146}}"),
    _format("Heroku key", "hrku-", rf"HRKU-{_URL}{{36,60}}"),
    _format(
        "Fly.io token", "fo1_ fm1 fm2_", rf"fo1_{_URL}{{43}}|fm[12][ar]?_[A-Za-z0-9+/]{{100,2000}}"
    ),
    _format("Netlify token", "nfp_", rf"nfp_{_WORD}{{36}}"),
    _format("Supabase key", "sbp_ sb_secret_", rf"sbp_{_HEX}{{40}}|sb_secret_{_URL}{{31,60}}"),
    _format("PlanetScale token", "pscale_", rf"pscale_(?:tkn|pw|oauth)_{_URL}{{32,64}}"),
    _format("Databricks token", "dapi", rf"dapi{_HEX}{{32}}(?:-\d)?"),
    _format("Scaleway key", "scw", r"SCW(?=[A-Z0-9]{0,16}\d)[A-Z0-9]{17}"),
    # building and shipping
    _format(
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        rf"gh[pousr]_{_WORD}{{36,255}}|github_pat_{_WORD}{{22}}_{_WORD}{{59}}",
    ),
    _format(
        "GitLab token",
        "glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas- gr1348941",
        rf"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-{_URL}{{20,300}}|GR1348941{_URL}{{20,50}}",
    ),
    _format("npm token", "npm_", rf"npm_{_WORD}{{36}}"),
    _format("RubyGems key", "rubygems_", rf"rubygems_{_HEX}{{48}}"),
    _format("NuGet key", "oy2", r"oy2[a-z0-9]{43}"),
    _format("crates.io token", "cio", rf"cio(?=[A-Za-z]{{0,31}}\d){_WORD}{{32}}"),
    _format("Clojars token", "clojars_", r"CLOJARS_[a-z0-9]{60}"),
    _format("Docker token", "dckr_", rf"dckr_(?:pat|oat)_{_URL}{{27,60}}"),
    _format("Artifactory key", "akcp cmvmd", rf"AKCp{_WORD}{{60,80}}|cmVmd{_WORD}{{59}}"),
    _format(
        "Atlassian token",
        "atatt3 atctt3 atbb",
        rf"AT[AC]TT3[A-Za-z0-9_=-]{{80,300}}|ATBB{_WORD}{{32}}",
    ),
    _format("HashiCorp Vault token", "hvs. hvb. hvr.", rf"hv[sbr]\.{_URL}{{24,300}}"),
    _format("Terraform Cloud token", ".atlasv1.", rf"{_WORD}{{14}}\.atlasv1\.{_URL}{{60,80}}"),
    _format("Pulumi token", "pul-", rf"pul-{_HEX}{{40}}"),
    _format(
        "Doppler token",
        "dp.",
        rf"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{{2,35}}\.)?{_WORD}{{40,44}}",
    ),
    _format("CircleCI token", "ccipat_ cciprj_", rf"CCI(?:PAT|PRJ)_{_WORD}{{22}}_{_HEX}{{40}}"),
    _format("Buildkite token", "bkua_ bkct_ bkat_", rf"bk(?:ua|ct|at)_{_HEX}{{40}}"),
    _format("Sourcegraph token", "sgp_", rf"sgp_(?:{_HEX}{{16}}_|local_)?{_HEX}{{40}}"),
    _format("Prefect key", "pnu_ pnb_", rf"pn[ub]_{_WORD}{{36}}"),
    # network and secrets
    _format("age secret key", "age-secret-key-", r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"),
    _format("Tailscale key", "tskey-", rf"tskey-[a-z]{{3,16}}-{_WORD}{{8,24}}-{_WORD}{{20,64}}"),
    _format(
        "WireGuard key",
        "privatekey presharedkey",
        r"(?:PrivateKey|PresharedKey)\s{0,4}=\s{0,4}[A-Za-z0-9+/]{43}=",
    ),
    _format(
        "1Password token",
        "ops_eyj a3-",
        r"ops_eyJ[A-Za-z0-9+/]{250,2000}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    ),
    _format(
        "PuTTY private key", "putty-user-key-file-", r"PuTTY-User-Key-File-\d: [a-z0-9@.-]{4,60}"
    ),
    _format(
        "password hash of a system's user",
        ":$",
        r"[a-z_][a-z0-9_-]{0,31}:!?\$(?:1|2[abxy]|5|6|7|y|gy)\$[A-Za-z0-9./$,=]{20,150}:\d{0,6}(?=:)",
    ),
    # work
    _format(
        "Slack token",
        "xapp- xoxe xoxc- xoxd-",
        r"xapp-\d-[A-Z0-9]{8,14}-\d{10,15}-[a-z0-9]{40,80}|xox[ecd](?:\.xox[bp])?-[A-Za-z0-9%-]{40,300}",
    ),
    _format(
        "Stripe key",
        "k_test_ whsec_ k_live_",
        rf"[rs]k_(?:test|live)_{_WORD}{{24,250}}|whsec_[A-Za-z0-9+/]{{32,64}}=?",
    ),
    _format(
        "Square token",
        "sq0 eaaa",
        rf"sq0[a-z]{{3}}-{_URL}{{22,43}}|(?<![+/])EAAA{_URL}{{60}}(?![+/=-])",
    ),
    _format("Shopify token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    _format("Mailgun key", "key-", rf"key-{_HEX}{{32}}"),
    _format("Brevo key", "xkeysib-", rf"xkeysib-{_HEX}{{64}}-{_WORD}{{16}}"),
    _format("Postman key", "pmak-", rf"PMAK-{_HEX}{{24}}-{_HEX}{{34}}"),
    _format("New Relic key", "nrak- nrii-", r"NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9_-]{32}"),
    _format(
        "Grafana token",
        "glsa_ glc_",
        rf"glsa_{_WORD}{{32}}_{_HEX}{{8}}|glc_[A-Za-z0-9+/]{{32,400}}={{0,2}}",
    ),
    _format("Sentry token", "sntry", rf"sntryu_{_HEX}{{64}}|sntrys_eyJ[A-Za-z0-9+/=_]{{80,400}}"),
    _format("Dynatrace token", "dt0c01.", r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    _format("PostHog key", "phx_", rf"phx_{_WORD}{{40,50}}"),
    _format("Linear key", "lin_", rf"lin_(?:api|oauth)_{_WORD}{{40,64}}"),
    _format(
        "Notion token",
        "ntn_ secret_",
        rf"ntn_\d{{8,14}}{_WORD}{{32,40}}|secret_(?=[A-Za-z]{{0,42}}\d){_WORD}{{43}}",
    ),
    _format("Airtable token", "pat", rf"pat{_WORD}{{14}}\.{_HEX}{{64}}"),
    _format("Figma token", "figd_", rf"figd_{_URL}{{40}}"),
    _format("Facebook token", "eaam eaac", r"(?<![+/])EAA[MC][A-Za-z0-9]{80,300}(?![+/=-])"),
)
