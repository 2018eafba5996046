"""Where the time of one variant goes: phases of a request, and operators of the model.

table       operators and phases with their shares, which sum to 100 %
texts       what is asked: the gate's own questions
phases      a handler's phases, timed where they are called
onnx        ONNX Runtime's own profiler
torch       torch.profiler
run         one archive profiled: plain for the phases, then under its engine's profiler for the operators
"""
