"""bigmodel's two routes, under /api/paas/v4: https://docs.bigmodel.cn/api-reference"""

import base64
import binascii
import re

from starlette.routing import Route

from gateway.simulator import faults
from gateway.simulator.connection import Answer, Client
from gateway.simulator.dialect import Dialect, reason
from gateway.simulator.errors import Envelope, Reason, Refusal, VendorError
from gateway.simulator.media import links
from gateway.simulator.parameters import Schema, flag, one_of, one_or_two, text, text_of, url
from gateway.simulator.state import Simulator
from gateway.simulator.tasks import Task
from gateway.simulator.vendor import Vendor
from gateway.simulator.wire import Look, Submit

PREFIX = "/api/paas/v4"
MAX_IMAGE_BYTES = 5 * 1024 * 1024
SIZES = (
    "1280x720",
    "720x1280",
    "1024x1024",
    "1920x1080",
    "1080x1920",
    "2048x1080",
    "3840x2160",
)

_DATA_URI = re.compile(r"data:image/(png|jpe?g);base64,")
_MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff"}

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

_CODES = {
    Reason.NO_KEY: "1001",
    Reason.NOT_BEARER: "1000",
    Reason.UNKNOWN_KEY: "1002",
    Reason.ARREARS: "1113",
    Reason.BODY_TOO_LARGE: "1210",
    Reason.NOT_JSON: "1210",
    Reason.NULL: "1214",
    Reason.UNKNOWN_FIELD: "1210",
    Reason.MISSING_FIELD: "1213",
    Reason.INVALID_FIELD: "1214",
    Reason.UNKNOWN_MODEL: "1211",
    Reason.PROMPT_TOO_LONG: "1261",
    Reason.REPEATED_REQUEST_ID: "1231",
    Reason.OVER_LIMIT: "1302",
    Reason.NO_SUCH_PATH: "1222",
}


def routes(simulator: Simulator) -> list[Route]:
    dialect = BigModel(simulator)
    return [
        Route(f"{PREFIX}/videos/generations", Submit(dialect), methods=["POST"]),
        Route(f"{PREFIX}/async-result/{{id}}", Look(dialect), methods=["GET"]),
    ]


def _image(value: object) -> str | None:
    if isinstance(value, str) and (header := _DATA_URI.match(value)):
        return _data(value[header.end() :], header[1])
    if url(value):
        return "is neither an http(s) URL nor a data URI of a png or jpeg"
    return None


def _data(encoded: str, kind: str) -> str | None:
    try:
        image = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return "is not base64"
    if not image.startswith(_MAGIC[kind]):
        return f"does not hold a {kind}"
    return "is over 5 MB" if len(image) > MAX_IMAGE_BYTES else None


class BigModel(Dialect):
    vendor = "bigmodel"
    running = "PROCESSING"
    envelope: Envelope = "nested"
    schema = Schema(
        {
            "model": text,
            "prompt": text,
            "image_url": one_or_two(_image),
            "quality": one_of("speed", "quality"),
            "with_audio": flag,
            "watermark_enabled": flag,
            "size": one_of(*SIZES),
            "fps": one_of(30, 60),
            "duration": one_of(5, 10),
            "request_id": text_of(6, 64),
            "user_id": text_of(6, 128),
        },
        one_of=("prompt", "image_url"),
        longest_prompt=512,
    )

    def refusal(self, error: VendorError) -> Refusal:
        if error.reason is Reason.NO_SUCH_TASK:
            unknown = self.simulator.settings.unknown_id
            return Refusal(unknown.status, unknown.code, unknown.message)
        code = _CODES[error.reason]
        status, words = _KNOWN[code]
        if error.reason is Reason.BODY_TOO_LARGE:
            status = 413
        return Refusal(status, code, error.worded(words))

    def fault(self, rule: faults.ErrorAnswer) -> Refusal:
        code = rule.code or "500"
        status, words = _KNOWN.get(code, _KNOWN["500"])
        message = words if rule.message is None else rule.message
        return Refusal(rule.status or status, code, message)

    def accepted(self, client: Client, vendor: Vendor, task: Task) -> Answer:
        return Answer.of({"id": task.id, **self.with_status(task, self.running)})

    def with_status(self, task: Task, word: str) -> dict[str, object]:
        return {"model": task.order.model, "request_id": task.request_id, "task_status": word}

    def told(self, client: Client, task: Task) -> dict[str, object]:
        body = self.with_status(task, task.status)
        if task.status == "SUCCESS":
            body["video_result"] = [links(self.simulator, task, client.base_url)]
        elif task.status == "FAIL" and task.failure is not None:
            # No field for the reason is documented; the shapes are those that clients have met.
            body |= reason(task.failure, "status_only")
        return body
