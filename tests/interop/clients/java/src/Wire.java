import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The line protocol of a driver (../../drivers.py says what it is): one step in, one answer out. */
final class Wire {

    static final ObjectMapper JSON = new ObjectMapper();

    /** What a client does in one step. */
    interface Step {
        Object take(JsonNode asked) throws Exception;
    }

    /** The server said no, as far as the client tells: status 0 is none, text the outcome in JSON. */
    static final class Refused extends RuntimeException {
        final int status;
        final String outcome;

        Refused(int status, String outcome) {
            this.status = status;
            this.outcome = outcome;
        }
    }

    /** Answer each line of standard input until it ends. What a client prints by itself is no answer. */
    static void run(Map<String, Step> steps) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            JsonNode asked = JSON.readTree(line);
            answers.println(JSON.writeValueAsString(answer(steps.get(asked.get("step").asText()), asked)));
        }
    }

    private static ObjectNode answer(Step step, JsonNode asked) throws Exception {
        ObjectNode answer = JSON.createObjectNode();
        if (step == null) return answer.put("cannot", true);
        try {
            answer.set("ok", JSON.valueToTree(step.take(asked)));
        } catch (Refused refused) {
            ObjectNode why = answer.putObject("refused");
            if (refused.status != 0) why.put("status", refused.status);
            if (refused.outcome != null) why.set("outcome", JSON.readTree(refused.outcome));
        } catch (Exception error) {
            StringWriter trace = new StringWriter();
            error.printStackTrace(new PrintWriter(trace));
            answer.put("broken", trace.toString());
        }
        return answer;
    }

    private Wire() {}
}
