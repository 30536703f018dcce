"""The vendor's refusals: a code of digits, an HTTP status, the documented words."""

_KNOWN: dict[str, tuple[int, str]] = {
    "500": (500, "内部错误"),
    "1000": (401, "身份验证失败"),
    "1001": (401, "Header中未收到Authorization参数，无法进行身份验证"),
    "1002": (401, "Authorization Token非法，请确认Authorization Token正确传递"),
    "1003": (401, "Authorization Token已过期，请重新生成/获取"),
    "1004": (401, "通过提供的Authorization Token的验证失败"),
    "1110": (429, "您的账户当前处于非活动状态。请检查账户信息"),
    "1111": (429, "您的账户不存在"),
    "1112": (429, "您的账户已被锁定，请联系客服解锁"),
    "1113": (429, "您的账户已欠费，请充值后重试"),
    "1120": (500, "无法成功访问您的账户，请稍后重试"),
    "1121": (429, "账户存在违规行为，账号已被锁定"),
    "1200": (400, "API 调用错误"),
    "1210": (400, "API 调用参数有误，请检查文档"),
    "1211": (400, "模型不存在，请检查模型代码"),
    "1212": (400, "当前模型不支持该调用方式"),
    "1213": (400, "未正常接收到参数"),
    "1214": (400, "参数非法。请检查文档"),
    "1215": (400, "参数不能同时设置，请检查文档"),
    "1220": (403, "您无权访问该API"),
    "1221": (404, "该API已下线"),
    "1222": (404, "该API不存在"),
    "1230": (500, "API 调用流程出错"),
    "1231": (400, "您已有请求"),
    "1234": (500, "网络错误，请联系客服"),
    "1261": (400, "Prompt 超长"),
    "1300": (400, "API 调用被策略阻止"),
    "1301": (400, "系统检测到输入或生成内容可能包含不安全或敏感内容"),
    "1302": (429, "您当前使用该API的并发数过高，请降低并发，或联系客服增加限额"),
    "1303": (429, "您当前使用该API的频率过高，请降低频率，或联系客服增加限额"),
    "1304": (429, "该API已达今日调用次数限额"),
    "1305": (429, "该模型当前访问量过大，请您稍后再试"),
    "1308": (429, "已达到使用上限"),
    "1310": (429, "已达到每周/每月使用上限"),
    "1312": (429, "该模型当前访问量过大，请切换其他模型"),
    "1313": (429, "您的使用方式不符合公平使用政策"),
}


class VendorError(Exception):
    """A refusal. `detail` is for whoever reads a log: clients must go by the code alone."""

    def __init__(self, code: str, detail: str = "", status: int | None = None) -> None:
        known_status, words = _KNOWN[code]
        self.code = code
        self.status = known_status if status is None else status
        self.message = f"{words} ({detail})" if detail else words
        super().__init__(f"{code} {self.message}")


def documented(code: str) -> tuple[int, str]:
    """HTTP status and words for a code; those of an internal error for one we do not know."""
    return _KNOWN.get(code, _KNOWN["500"])
